import { parseArgs, type ParseArgsConfig } from 'node:util';

import {
  CommandError,
  type Config,
  defaultDataDir,
  exitCodes,
  loadConfig,
} from '../environment/config.ts';

/** The shape of a command, and the parsing of its command line. */

/** The parts of the process that a command may use; tests pass their own. */
export interface CommandIo {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
}

/** One command. Its file in `commands/` has the same name. */
export interface Command {
  /** `plants list`: one to three words. */
  name: string;
  /** What follows the name: `ID [--until TIME] [--reason TEXT]`. */
  usage: string;
  /** What `--help` says besides: lines of plain text. */
  notes?: readonly string[];
  /** Flags with a value, by their long names. `--data`, `--zone`, `--json` and `--help` are known to every command. */
  flags?: readonly string[];
  /** Flags without a value. */
  switches?: readonly string[];
  /** @returns the exit code; nothing means that all is done. */
  run(context: CommandContext): Promise<number | void>;
}

/** One call of a command. */
export interface CommandContext {
  command: Command;
  /** The values of the given flags. */
  flags: Readonly<Partial<Record<string, string>>>;
  /** The given flags without a value. */
  switches: ReadonlySet<string>;
  positionals: string[];
  json: boolean;
  io: CommandIo;
  /** Parsed at the first access. @throws CommandError 78 */
  config(): Config;
  dataDir: string;
}

/** @throws CommandError 2 for unknown or malformed flags, with the command's usage. */
export function parseCommand(
  command: Command,
  args: readonly string[],
  io: CommandIo,
): CommandContext | 'HELP' {
  const valued = ['data', 'zone', ...(command.flags ?? [])];
  const options: ParseArgsConfig['options'] = {};
  for (const name of valued) options[name] = { type: 'string' };
  for (const name of ['json', 'help', ...(command.switches ?? [])])
    options[name] = { type: 'boolean' };
  let parsed;
  try {
    parsed = parseArgs({
      args: joinNegativeNumbers(args, valued),
      options,
      allowPositionals: true,
    });
  } catch (cause) {
    const [reason] = (cause as Error).message.split('. ');
    throw usageError({ command }, reason ?? 'the flags are not valid');
  }
  const flags: Partial<Record<string, string>> = {};
  const switches = new Set<string>();
  for (const [name, value] of Object.entries(parsed.values))
    if (typeof value === 'string') flags[name] = value;
    else switches.add(name);
  if (switches.has('help')) return 'HELP';
  const dataDir = flags['data'] ?? defaultDataDir;
  let config: Config | null = null;
  return {
    command,
    flags,
    switches,
    positionals: parsed.positionals,
    json: switches.has('json'),
    io,
    dataDir,
    config: () => (config ??= loadConfig(io.env, dataDir)),
  };
}

/** Rewrites `--latitude -33.9` to `--latitude=-33.9`, because parseArgs would read the value as a flag. */
function joinNegativeNumbers(args: readonly string[], valued: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const flag = joined.at(-1);
    const takesValue = flag?.startsWith('--') === true && valued.includes(flag.slice(2));
    if (takesValue && /^-[\d.]/.test(arg)) joined.splice(-1, 1, `${flag}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

/** A wrong call: exit code 2, with the usage below it. */
export function usageError(
  { command }: Pick<CommandContext, 'command'>,
  reason: string,
): CommandError {
  return new CommandError(
    `${reason}\nusage: heliograph ${command.name} ${command.usage}`.trimEnd(),
    exitCodes.usage,
  );
}
