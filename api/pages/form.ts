import { instant } from '../../db/database.ts';
import { Problem } from '../problem.ts';

/** Reads and checks the fields of the pages' forms. */

/** Durations that the forms offer for an acknowledgement, a pause or a silence, in seconds by their word. */
export const spans = {
  '1 h': 3_600,
  '4 h': 4 * 3_600,
  '24 h': 24 * 3_600,
  '7 days': 7 * 24 * 3_600,
} as const;

const spansS: ReadonlySet<string> = new Set(Object.values(spans).map(String));

/** Text of a field as one line, trimmed; null if empty. @throws Problem when it is too long. */
export function textField(value: unknown, name: string, lengthMax: number): string | null {
  const text = typeof value === 'string' ? value.replaceAll(/\s*[\t\r\n]\s*/g, ' ').trim() : '';
  if (text.length > lengthMax)
    throw new Problem('invalid-request', `${name} has at most ${lengthMax} characters.`);
  return text === '' ? null : text;
}

/** The end of one of the offered durations; null: without an end. */
export function untilField(value: unknown, nowMs: number): Date | null {
  if (value === undefined || value === '') return null;
  if (typeof value !== 'string' || !spansS.has(value))
    throw new Problem('invalid-request', 'for: one of the offered spans.');
  return instant(nowMs + Number(value) * 1_000);
}
