import type { LocalDate } from '../../../../domain/zone.ts';
import { instantOf } from '../../../../domain/zone.ts';

/**
 * The portal's own writing of dates, `MM/dd/yyyy` and `MM/dd/yyyy HH:mm:ss`, in the plant's zone and without naming it. The
 * same answer holds other texts in the user's preferred format, which cannot be told apart: those are not read at all.
 */
const portalTime = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?: (\d{1,2}):(\d{2}):(\d{2}))?$/;

/** A date of the portal; null where the text is none. A time of day behind it is left out. */
export function portalDateOf(text: string): LocalDate | null {
  const [, month, day, year] = portalTime.exec(text.trim()) ?? [];
  if (month === undefined || day === undefined || year === undefined) return null;
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const startMs = Date.parse(`${date}T00:00:00Z`);
  // 02/30 rolls over to March in some engines and is refused in others.
  if (Number.isNaN(startMs) || new Date(startMs).toISOString().slice(0, 10) !== date) return null;
  return date;
}

/** A local time of the portal as an instant, ms; null where the text is none. A time that occurs twice is the earlier. */
export function portalInstantMs(text: string, timezone: string): number | null {
  const date = portalDateOf(text);
  const [hour, minute, second] = portalTime.exec(text.trim())?.slice(4) ?? [];
  if (date === null || hour === undefined) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  return instantOf(date, `${hour.padStart(2, '0')}:${minute}:${second}`, timezone);
}

/** As the portal writes it in requests and answers: `10/26/2026 00:00:00`. */
export function portalText(date: LocalDate, clock: string): string {
  const [year, month, day] = date.split('-');
  return `${month}/${day}/${year} ${clock}`;
}
