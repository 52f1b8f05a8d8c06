import type {
  AlarmsAnswer,
  DailyEnergy,
  RefusedField,
  VendorAlarm,
  VendorSeverity,
} from '../../domain/plants/reading.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { ImpossibleEnergy, invalidFormat } from './adapter-error.ts';

/** Texts with which vendors say "no value" (Solis "--", Huawei "N/A"). */
const noValueTexts = new Set(['', '-', '--', 'n/a', 'null']);

const numericText = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number that vendors send as number or as text. Null where the vendor says "no value"; NaN for anything else, so that callers refuse it instead of skipping it. */
export function toNumber(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return Number.NaN;
  const text = value.trim();
  if (noValueTexts.has(text.toLowerCase())) return null;
  return numericText.test(text) ? Number(text) : Number.NaN;
}

/**
 * An energy without which an answer is useless, in the vendor's unit.
 *
 * @param sentinels Values by which the vendor says "not fitted".
 * @throws AdapterError INVALID_DATA_FORMAT when it is absent; ImpossibleEnergy when it is no finite number, negative, or a sentinel.
 */
export function requireEnergyKwh(
  value: unknown,
  what: string,
  sentinels: readonly number[] = [],
): number {
  const energyKwh = toNumber(value);
  if (energyKwh === null) throw invalidFormat(`${what} is missing`);
  if (!Number.isFinite(energyKwh)) throw new ImpossibleEnergy(`${what} is not a finite number`);
  if (energyKwh < 0) throw new ImpossibleEnergy(`${what} is negative`);
  if (sentinels.includes(energyKwh)) {
    throw new ImpossibleEnergy(`${what} is the vendor's value for "not fitted"`);
  }
  return energyKwh;
}

/**
 * Today's energy. Where the vendor does not say it, null and a sentence, if another field shows what the plant is.
 *
 * @param known Whether state, lifetime energy or power is known.
 * @throws AdapterError INVALID_DATA_FORMAT for an energy that cannot be, and for a missing one of a plant of which nothing is known.
 */
export function todayEnergyKwhOf(
  value: unknown,
  what: string,
  { known, refused, sentinels }: TodayContext,
): number | null {
  if (toNumber(value) === null && known) {
    refused.push({
      field: 'today_energy_kwh',
      sentence: `Today's energy is missing in the vendor's answer (${what}).`,
    });
    return null;
  }
  return requireEnergyKwh(value, what, sentinels);
}

interface TodayContext {
  known: boolean;
  refused: RefusedField[];
  sentinels?: readonly number[];
}

/** As `requireEnergyKwh`, but null where the vendor says "no value". */
export function energyKwhOf(
  value: unknown,
  what: string,
  sentinels: readonly number[] = [],
): number | null {
  return toNumber(value) === null ? null : requireEnergyKwh(value, what, sentinels);
}

/** Whether the energy is a finite number that is not negative and none of `sentinels`. */
export function isPossibleEnergy(energyKwh: number, sentinels: readonly number[] = []): boolean {
  return Number.isFinite(energyKwh) && energyKwh >= 0 && !sentinels.includes(energyKwh);
}

/** The days `from` … `to`, both included, in order. */
export function seriesOf(
  energyByDate: Iterable<readonly [LocalDate, number | null]>,
  from: LocalDate,
  to: LocalDate,
): DailyEnergy[] {
  return [...energyByDate]
    .filter(([date]) => date >= from && date <= to)
    .map(([date, energyKwh]) => ({ date, energyKwh }))
    .toSorted((a, b) => (a.date < b.date ? -1 : 1));
}

/** The higher of two energies of one day: late uploads of a logger only add. */
export function higherOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** How many digits after the decimal point the number was given with; 0 for whole numbers. */
export function decimalsOf(value: unknown): number {
  const text = String(value).trim().toLowerCase();
  const [mantissa = '', exponent = '0'] = text.split('e');
  const digits = mantissa.split('.')[1]?.length ?? 0;
  return Math.max(0, digits - Number(exponent));
}

/**
 * A vendor's words for people: one line, without NUL, control and direction characters and lone surrogates (which
 * PostgreSQL refuses), no-break spaces made plain.
 */
export function cleanText(value: unknown, maxLength = 300): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  const clean = String(value)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\s\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu, ' ')
    .trim();
  return clean.length <= maxLength ? clean : `${[...clean].slice(0, maxLength - 1).join('')}…`;
}

/** The most alarms of one plant that leave the fetch. */
export const alarmsMax = 50;

const worstFirst: readonly VendorSeverity[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/**
 * One alarm per (code, device): open if one of its records is open, with the first start and the worst level (and that
 * record's words). Open ones first, then the worst, then the newest; at most `alarmsMax`, and more make the answer incomplete.
 *
 * @param complete Whether the vendor's pages were read to the end.
 */
export function mergeAlarms(alarms: readonly VendorAlarm[], complete: boolean): AlarmsAnswer {
  const byKey = new Map<string, VendorAlarm>();
  for (const alarm of alarms) {
    const key = JSON.stringify([alarm.code, alarm.deviceSn]);
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? { ...alarm } : merge(known, alarm));
  }
  const merged = [...byKey.values()].sort(
    (a, b) =>
      Number(b.open) - Number(a.open) ||
      worstFirst.indexOf(a.severity) - worstFirst.indexOf(b.severity) ||
      Date.parse(b.startedAt) - Date.parse(a.startedAt),
  );
  return { alarms: merged.slice(0, alarmsMax), complete: complete && merged.length <= alarmsMax };
}

function merge(a: VendorAlarm, b: VendorAlarm): VendorAlarm {
  const worst = worstFirst.indexOf(b.severity) < worstFirst.indexOf(a.severity) ? b : a;
  const open = a.open || b.open;
  return {
    ...worst,
    open,
    startedAt: Date.parse(b.startedAt) < Date.parse(a.startedAt) ? b.startedAt : a.startedAt,
    endedAt: open ? null : laterOf(a.endedAt, b.endedAt),
    communication: a.communication && b.communication,
  };
}

function laterOf(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return Date.parse(b) > Date.parse(a) ? b : a;
}
