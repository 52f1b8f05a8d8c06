import { writeFileSync } from 'node:fs';

/** Progress is for people: standard output holds the result alone. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The file of --json. */
export function writeJson(file: string, result: unknown): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** What was asked for makes no sense; its message says what would. */
export class UsageError extends Error {}

/**
 * A bench as a command: Ctrl-C stops what it started, the result goes to standard output as text and, where asked for, to a
 * file as JSON. Sets the exit code: 0; 1 where the result is not as it must be, or there is none; 2 where what
 * was asked for makes no sense; 130 after Ctrl-C.
 *
 * @param run reads the arguments and measures; ends what it started when the signal comes. Its jsonFile is null where none
 *   is asked for, or where it has written it.
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

/** An option that there is not, or one without its value. */
function isOfParseArgs(error: unknown): boolean {
  return String((error as { code?: unknown } | null)?.code).startsWith('ERR_PARSE_ARGS_');
}
