import { Temporal } from 'temporal-polyfill';

import { instantOf, type LocalDate } from '../domain/zone.ts';
import { durationMs, readFlag } from './arguments.ts';
import { type CommandContext, usageError } from './command.ts';
import { FieldProblem } from './plant-fields.ts';
import { visibleText } from './render.ts';

/** Reads `--until`: a time from now (2h), a date by each plant's own clock (2026-12-01), or an instant with its zone. */

export interface Until {
  /** Null if the instant depends on the plant's zone. */
  instant: Date | null;
  /** @throws CommandError 2 if it has passed in this zone. */
  in(timezone: string): Date;
  /** What `--json` shows: an instant, or a date. */
  json: string;
  /** "until 2026-12-01T06:00:00.000Z", "until 2026-12-01 00:00 by the plant's clock". */
  words: string;
}

/** `--until`, a future time; null if absent. @throws CommandError 2 */
export function readUntil(context: CommandContext): Until | null {
  const text = context.flags['until'] ?? '';
  const refusePast = (at: Date): Date => {
    if (at.getTime() > Date.now()) return at;
    throw usageError(context, `--until ${text} has passed (it was ${at.toISOString()})`);
  };
  const read = readFlag(context, 'until', readWhen);
  if (read === undefined) return null;
  if (read instanceof Date) {
    const iso = refusePast(read).toISOString();
    return { instant: read, in: () => read, json: iso, words: `until ${iso}` };
  }
  return {
    instant: null,
    in: (timezone) => refusePast(new Date(instantOf(read, dayStart, timezone))),
    json: read,
    words: `until ${read} ${dayStart} by the plant's clock`,
  };
}

/** A plant that is paused until a date is polled on that date. */
const dayStart = '00:00';

function readWhen(text: string): Date | LocalDate {
  const waitMs = durationMs(text);
  if (waitMs !== null) return new Date(Date.now() + waitMs);
  try {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(text))
      return new Date(Temporal.Instant.from(text).epochMilliseconds);
    return Temporal.PlainDate.from(text, { overflow: 'reject' }).toString();
  } catch {
    throw new FieldProblem(
      `must be a time from now such as 30m, 2h or 3d, a date such as 2026-12-01 by the plant's clock, or a time with its zone such as 2026-12-01T06:00:00Z, not ${visibleText(text)}`,
    );
  }
}
