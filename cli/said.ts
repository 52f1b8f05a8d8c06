import { Temporal } from 'temporal-polyfill';

import { type Command, type CommandContext, textFlag, usageError } from './command.ts';

/** Reads what people add to a decision: an end and a reason. */

const wordsLengthMax = 200;

/** `--until`, a future time. @throws CommandError 2 */
export function readUntil(
  context: CommandContext,
  command: Command,
  nowMs: number,
): Date | undefined {
  const text = textFlag(context, 'until');
  if (text === undefined) return undefined;
  const untilMs = readInstant(command, 'until', text).getTime();
  if (untilMs <= nowMs) throw usageError(command, `--until ${text} has passed`);
  return new Date(untilMs);
}

/** An instant with its zone. @throws CommandError 2 */
export function readInstant(command: Command, flag: string, text: string): Date {
  try {
    return new Date(Temporal.Instant.from(text).epochMilliseconds);
  } catch {
    throw usageError(
      command,
      `--${flag} must be a time with its zone, such as 2026-12-01T06:00:00Z, not ${text}`,
    );
  }
}

/** `--reason`, `--comment`: one line; null if absent. @throws CommandError 2 */
export function readWords(context: CommandContext, command: Command, flag: string): string | null {
  const text = textFlag(context, flag)?.trim() ?? '';
  if (text.length > wordsLengthMax)
    throw usageError(command, `--${flag} must have at most ${wordsLengthMax} characters`);
  return text === '' ? null : text;
}
