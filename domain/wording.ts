import { dayMs, hourMs, localDateAt, localMinutesAt, minuteMs, offsetText } from './zone.ts';

/** Values as text for people: with their unit and few digits. */

/** Keeps 0.29 × 100 from becoming 28. */
const percentRounding = 1e-9;

/** "12.3 kWh". */
export function energyText(energyKwh: number): string {
  return `${decimalText(energyKwh)} kWh`;
}

/** "850 W", "12.3 kW". */
export function powerText(powerW: number): string {
  return Math.abs(powerW) < 1_000 ? `${Math.round(powerW)} W` : `${decimalText(powerW / 1_000)} kW`;
}

/** "24 %" from a ratio, rounded down, so that a value below a limit never reads as the limit. */
export function percentText(ratio: number): string {
  return `${Math.floor(ratio * 100 + percentRounding)} %`;
}

/** "81.9 MB", "12.3 GB": rounded down, so that space below a limit never reads as the limit. */
export function spaceText(bytes: number): string {
  const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, 'GB'] : [bytes / 1e6, 'MB'];
  return `${(Math.floor(value * 10) / 10).toFixed(1)} ${unit}`;
}

/** "40 s", "35 min", "11 h", "3 days": rounded down, so that "24 h" never appears too early. */
export function durationText(durationMs: number): string {
  if (durationMs < minuteMs) return `${Math.floor(durationMs / 1_000)} s`;
  if (durationMs < 2 * hourMs) return `${Math.floor(durationMs / minuteMs)} min`;
  if (durationMs < 3 * dayMs) return `${Math.floor(durationMs / hourMs)} h`;
  return `${Math.floor(durationMs / dayMs)} days`;
}

/** "2026-06-01 13:40 UTC+2": by the clock of a zone. */
export function localTimeText(atMs: number, timezone: string): string {
  return `${localDateAt(atMs, timezone)} ${clockText(atMs, timezone)} ${offsetText(atMs, timezone)}`;
}

/** "13:40": by the clock of a zone, which its reader must know. */
export function clockText(atMs: number, timezone: string): string {
  const minutes = localMinutesAt(atMs, timezone);
  const digits = (value: number): string => String(value).padStart(2, '0');
  return `${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`;
}

/** "13:40 UTC+2" of today, "2026-05-31 13:40 UTC+2" of another day. */
export function sinceText(atMs: number, timezone: string, nowMs: number): string {
  const isToday = localDateAt(atMs, timezone) === localDateAt(nowMs, timezone);
  if (!isToday) return localTimeText(atMs, timezone);
  return `${clockText(atMs, timezone)} ${offsetText(atMs, timezone)}`;
}

/** One decimal; an exponent only for absurdly large numbers of a vendor. */
function decimalText(value: number): string {
  return Math.abs(value) >= 1e15 ? value.toExponential(1) : value.toFixed(1);
}

/** A vendor's message as a sentence with exactly one full stop. */
export function sentenceOf(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

/** "1 plant", "12 plants". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
