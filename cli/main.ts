import { readFileSync } from 'node:fs';

import { brandName, brands } from '../domain/plants/plant.ts';
import { type Command, type CommandIo, parseCommand } from './command.ts';
import { type CommandEntry, commands } from './commands/index.ts';
import { CommandError, exitCodes } from '../environment/config.ts';
import { guessSentence } from './nearest.ts';
import { visibleText } from './render.ts';
import { waitForStack } from './stack-wait.ts';

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failed, 2 usage, 69 a service is away, 78 configuration.
 */
export async function runCommandLine(args: readonly string[], io: CommandIo): Promise<number> {
  const { words, entry, rest } = readCall(args);
  if (entry === undefined) return withoutCommand(words, rest, io);
  const command = await entry.load();
  try {
    const context = parseCommand(command, rest, io);
    if (context === 'HELP') {
      io.stdout.write(helpOf(entry, command));
      return exitCodes.done;
    }
    if (entry.waitsForNothing !== true) await waitForStack(io, context.dataDir);
    return (await command.run(context)) ?? exitCodes.done;
  } catch (error) {
    if (error instanceof CommandError) {
      io.stderr.write(`heliograph: ${error.message}\n`);
      return error.exitCode;
    }
    const { isServiceError } = await import('../db/service-error.ts');
    if (!isServiceError(error)) throw error;
    // 40: a deadlock, or a serialization failure.
    const isContended = String((error as { code?: unknown }).code).startsWith('40');
    io.stderr.write(
      isContended
        ? 'heliograph: another process changed the same rows at the same time, so nothing was changed: run it again\n'
        : 'heliograph: the database went away while the command ran\n',
    );
    return exitCodes.serviceAway;
  }
}

interface Call {
  /** The command's name as it was typed. */
  words: string[];
  /** undefined: there is no such command. */
  entry: CommandEntry | undefined;
  /** The arguments without the name. */
  rest: string[];
}

/** Finds the command. Flags that every command knows may stand before its name, and between its words. */
function readCall(args: readonly string[]): Call {
  const words: string[] = [];
  const early: string[] = [];
  for (let index = 0; index < args.length && mayGoOn(words); index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--data' || arg === '--zone') early.push(...args.slice(index, (index += 1) + 1));
    else if (/^--((data|zone)=.*|json|help|version)$/s.test(arg)) early.push(arg);
    else if (arg.startsWith('-')) return { words, entry: undefined, rest: [...early, arg] };
    else words.push(arg);
    const entry = commands.find(({ name }) => name === words.join(' '));
    if (entry !== undefined) return { words, entry, rest: [...early, ...args.slice(index + 1)] };
  }
  return { words, entry: undefined, rest: early };
}

/** Whether another word may belong to the name: names have two words, and three where a command says so. */
function mayGoOn(words: readonly string[]): boolean {
  return words.length < 2 || commands.some(({ name }) => name.startsWith(`${words.join(' ')} `));
}

/** Answers a command line that names no command. @returns the exit code. */
function withoutCommand(words: readonly string[], flags: readonly string[], io: CommandIo): number {
  if (flags.includes('--version')) {
    io.stdout.write(`heliograph ${version()}\n`);
    return exitCodes.done;
  }
  const typed = words.join(' ');
  const flag = flags.at(-1) ?? '';
  const asksHelp = words[0] === 'help' || (typed === '' && flags.includes('--help'));
  if (asksHelp || (typed === '' && flag === '')) {
    io.stdout.write(overview());
    return asksHelp ? exitCodes.done : exitCodes.usage;
  }
  const names = commands.map(({ name }) => name);
  const problem =
    typed === ''
      ? `the command must come before ${visibleText(flag)}: \`heliograph help\` lists all`
      : `there is no command \`${visibleText(typed)}\`: ${guessSentence(words, names)}`;
  io.stderr.write(`heliograph: ${problem}\n`);
  return exitCodes.usage;
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function helpOf({ summary }: CommandEntry, { name, usage, notes = [] }: Command): string {
  const call = `usage: ${`heliograph ${name} ${usage}`.trimEnd()}\n`;
  const names = `brands: ${brands.map(brandName).join(', ')}\n`;
  const lines = notes.map((note) => `${note}\n`).join('');
  return `${summary}\n${call}${usage.includes('brand') ? names : ''}${lines}`;
}

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return `heliograph: durable monitoring of solar fleets\n\n${lines.join('\n')}\n\n\`heliograph COMMAND --help\` lists its flags; --json prints data for machines; --data DIR names an embedded stack's folder; --zone plant|local|utc|NAME says whose clock its times follow; --version prints the version.\n`;
}

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  // `heliograph plants list | head` is no failure: the reader has read enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    throw error;
  });
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

if (import.meta.main) await main();
