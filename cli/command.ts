import { parseArgs, type ParseArgsConfig } from 'node:util';

import {
  CommandError,
  type Config,
  defaultDataDir,
  exitCodes,
  loadConfig,
} from '../environment/config.ts';

/** The parts of the process that a command may use; tests pass their own. */
export interface CommandIo {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
}

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** One command. Its file in `commands/` has the same name. */
export interface Command {
  /** `plants list`: one or two words. */
  name: string;
  /** What follows the name: `ID [--until TIME] [--reason TEXT]`. */
  usage: string;
  /** Long flags only. `--json`, `--data` and `--help` are known to every command. */
  options: OptionsConfig;
  run(context: CommandContext): Promise<number>;
}

export interface CommandContext {
  /** The given flags; an array for a `multiple` one. */
  values: Record<string, string | boolean | (string | boolean)[] | undefined>;
  positionals: string[];
  json: boolean;
  io: CommandIo;
  /** Parsed at the first access. @throws CommandError 78 */
  config(): Config;
  dataDir: string;
}

const commonOptions = {
  json: { type: 'boolean' },
  help: { type: 'boolean' },
  data: { type: 'string' },
} as const satisfies OptionsConfig;

/** @throws CommandError 2 for unknown or malformed flags, with the command's usage. */
export function parseCommand(
  command: Command,
  args: readonly string[],
  io: CommandIo,
): CommandContext | 'HELP' {
  let parsed;
  try {
    const options = { ...commonOptions, ...command.options };
    parsed = parseArgs({
      args: joinNegativeNumbers(args, options),
      options,
      allowPositionals: true,
      strict: true,
    });
  } catch (cause) {
    const [reason] = (cause as Error).message.split('. ');
    throw usageError(command, reason ?? 'the flags are not valid');
  }
  const values = parsed.values as CommandContext['values'];
  if (values['help'] === true) return 'HELP';
  const dataDir = typeof values['data'] === 'string' ? values['data'] : defaultDataDir;
  let config: Config | null = null;
  return {
    values,
    positionals: parsed.positionals,
    json: values['json'] === true,
    io,
    dataDir,
    config: () => (config ??= loadConfig(io.env, dataDir)),
  };
}

/** Rewrites `--latitude -33.9` to `--latitude=-33.9`, because parseArgs would read the value as a flag. */
function joinNegativeNumbers(args: readonly string[], options: OptionsConfig): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const flag = joined.at(-1);
    const takesValue = flag?.startsWith('--') === true && options[flag.slice(2)]?.type === 'string';
    if (takesValue && /^-[\d.]/.test(arg)) joined.splice(-1, 1, `${flag}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

/** A wrong call: exit code 2, with the usage below it. */
export function usageError(command: Pick<Command, 'name' | 'usage'>, reason: string): CommandError {
  return new CommandError(
    `${reason}\nusage: heliograph ${command.name} ${command.usage}`.trimEnd(),
    exitCodes.usage,
  );
}

/** The text value of a flag, or undefined. */
export function textFlag(context: CommandContext, name: string): string | undefined {
  const value = context.values[name];
  return typeof value === 'string' ? value : undefined;
}
