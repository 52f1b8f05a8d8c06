import type { LocalDate } from '../../../../domain/zone.ts';
import { instantOf, localDateAt, localMinutesAt } from '../../../../domain/zone.ts';

/** The portal's writing of times: `yyyy-MM-dd HH:mm:ss` or with a `T`, by the plant's clock and without its zone. */
const localTime = /^(\d{4}-\d{2}-\d{2})[ T]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?/;

/** A date `yyyy-MM-dd`, a time of day behind it left out; null where the text is none. */
export function dateOf(text: string): LocalDate | null {
  const date = text.trim().slice(0, 10);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return null;
  const startMs = Date.parse(`${date}T00:00:00Z`);
  // 02-30 rolls over to March in some engines and is refused in others.
  if (Number.isNaN(startMs) || new Date(startMs).toISOString().slice(0, 10) !== date) return null;
  return date;
}

/** A local time as an instant, ms; null where the text is none. A time that occurs twice is the earlier. */
export function localInstantMs(text: string, timezone: string): number | null {
  const [, , hour, minute, second = '00'] = localTime.exec(text.trim()) ?? [];
  const date = dateOf(text);
  if (date === null || hour === undefined) return null;
  return instantOf(date, `${hour}:${minute}:${second}`, timezone);
}

/** The first and the last second of a span of days, as the portal wants them; both ends are included. */
export function spanText(from: LocalDate, to: LocalDate): { startTime: string; endTime: string } {
  return { startTime: `${from} 00:00:00`, endTime: `${to} 23:59:59` };
}

/** The zone's offset at an instant as the portal's curve wants it: in hours, with the sign turned (Madrid in summer: −2). */
export function turnedOffsetH(atMs: number, timezone: string): number {
  const wallMs =
    Date.parse(`${localDateAt(atMs, timezone)}T00:00:00Z`) +
    localMinutesAt(atMs, timezone) * 60_000;
  const offsetMs = wallMs - Math.floor(atMs / 60_000) * 60_000;
  // Not −0, which JSON writes as 0 but tests tell apart.
  return offsetMs === 0 ? 0 : -offsetMs / 3_600_000;
}
