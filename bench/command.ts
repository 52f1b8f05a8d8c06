import { writeFileSync } from 'node:fs';

/** Prints progress to standard error; standard output has only the result. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The file of --json. */
export function writeJson(file: string, result: unknown): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** The arguments make no sense; the message says what would. */
export class UsageError extends Error {}

/**
 * The value of an option.
 *
 * @throws UsageError unless it is a whole number from 1 to `max`.
 */
export function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from 1 to ${max}, not ${text}`);
}

/** One line for each name, with the texts below each other. */
export function alignedText(lines: readonly (readonly [name: string, text: string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join('');
}

/**
 * Runs a bench as a command. Ctrl-C stops its processes. The result goes to standard output as text and, with --json, to a
 * file. Sets the exit code: 0; 1 if the result fails a requirement or is missing; 2 for wrong arguments; 130 after Ctrl-C.
 *
 * @param run reads the arguments and measures; stops its processes on the signal. Its jsonFile is null without --json, or if
 *   it has written the file itself.
 */
export async function runBench<Result>(
  name: string,
  run: (signal: AbortSignal) => Promise<{ result: Result; jsonFile: string | null }>,
  textOf: (result: Result) => string,
  isGood: (result: Result) => boolean,
): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      say('stopping what was started');
      stopping.abort();
    });
  }
  try {
    const { result, jsonFile } = await run(stopping.signal);
    process.stdout.write(textOf(result));
    if (jsonFile !== null) writeJson(jsonFile, result);
    process.exitCode = isGood(result) ? 0 : 1;
  } catch (error) {
    if (stopping.signal.aborted) {
      process.exitCode = 130;
      return;
    }
    const isUsage = error instanceof UsageError || isOfParseArgs(error);
    process.exitCode = isUsage ? 2 : 1;
    const trace = error instanceof Error && !isUsage ? error.stack : undefined;
    say(`${name}: ${trace ?? (error instanceof Error ? error.message : String(error))}`);
  }
}

/** An unknown option, or one without its value. */
function isOfParseArgs(error: unknown): boolean {
  return String((error as { code?: unknown } | null)?.code).startsWith('ERR_PARSE_ARGS_');
}
