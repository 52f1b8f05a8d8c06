import { type CommandIo, parseCommand } from './command.ts';
import { type CommandEntry, commands } from './commands/index.ts';
import { CommandError, exitCodes } from '../environment/config.ts';

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failed, 2 usage, 69 a service is away, 78 configuration.
 */
export async function runCommandLine(args: readonly string[], io: CommandIo): Promise<number> {
  const asksHelp = args.length === 0 || args[0] === 'help' || args[0] === '--help';
  if (asksHelp) {
    io.stdout.write(overview());
    return args.length === 0 ? exitCodes.usage : exitCodes.done;
  }
  const entry = findCommand(args);
  if (entry === undefined) {
    const words = args.filter((word) => !word.startsWith('-')).slice(0, 2);
    io.stderr.write(`heliograph: there is no command \`${words.join(' ')}\`\n\n${overview()}`);
    return exitCodes.usage;
  }
  const command = await entry.load();
  try {
    const context = parseCommand(command, args.slice(command.name.split(' ').length), io);
    if (context === 'HELP') {
      io.stdout.write(
        `${entry.summary}\nusage: ${`heliograph ${command.name} ${command.usage}`.trimEnd()}\n`,
      );
      return exitCodes.done;
    }
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

function findCommand(args: readonly string[]): CommandEntry | undefined {
  return commands.find((command) =>
    command.name.split(' ').every((word, index) => args[index] === word),
  );
}

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return `heliograph: durable monitoring of solar fleets\n\n${lines.join('\n')}\n\n\`heliograph COMMAND --help\` lists its flags; --json prints data for machines; --data DIR names an embedded stack's folder; --zone plant|local|utc|NAME says whose clock its times follow.\n`;
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
