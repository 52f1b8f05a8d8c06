import type { LocalDate } from '../../../domain/zone.ts';
import type {
  PlantSummary,
  RefusedField,
  VendorAlarm,
  VendorSeverity,
} from '../../../domain/plants/reading.ts';
import { addDays } from '../../../domain/zone.ts';
import { invalidFormat } from '../adapter-error.ts';
import { cleanText, energyKwhOf, higherOf, toNumber } from '../fields.ts';
import type { WireAlert, WireLatest } from './wire.schema.ts';

/** Deye's plant values as ours: W, kWh, plant-local dates. Inverters are in `devices.ts`. Facts and sources: README.md. */

/** No plant of this vendor gives 1 GW; beyond lie infinities and the registers' "not fitted". */
export const powerWMax = 1e9;
/** All-ones and "largest value" of 32-bit energy registers, whole and in tenths and hundredths: not fitted. */
export const energySentinels = [1, 10, 100].flatMap((scale) => [
  0x7fff_ffff / scale,
  0xffff_ffff / scale,
]);
/** Seconds until the year 2100; an epoch in milliseconds lies far above. */
const epochSMax = Date.UTC(2100, 0) / 1000;
/** The plant's days and its month are each rounded to 0.1 kWh by the vendor; 31 of them and the month may differ by this. */
const roundingKwh = 1.6;

const severityByLevel: Readonly<Record<0 | 1 | 2, VendorSeverity>> = {
  2: 'HIGH',
  1: 'MEDIUM',
  0: 'LOW',
};
/** `impact` 2 is safety, 3 safety and production. */
const safetyImpactMin = 2;

/**
 * The plant's power and newest measurement time. What cannot be true is dropped with a sentence.
 *
 * @param offline Every inverter is offline: then the power is 0 by rule, whatever value is still shown.
 */
export function liveValuesOf(
  latest: WireLatest,
  offline: boolean,
): Pick<PlantSummary, 'powerW' | 'lastSeenAt' | 'refused'> {
  const refused: RefusedField[] = [];
  const statedW = toNumber(latest.generationPower);
  const possible = statedW === null || Math.abs(statedW) < powerWMax;
  if (!possible && !offline) {
    refused.push({
      field: 'power_w',
      sentence: 'The plant states a power that cannot be: check its inverters.',
    });
  }
  const seenAtMs = epochMsOf(latest.lastUpdateTime);
  const seen = seenAtMs !== null && !Number.isNaN(seenAtMs);
  if (seenAtMs !== null && !seen) {
    refused.push({
      field: 'last_seen_at',
      sentence: 'The time of the newest measurement is no epoch in seconds: check the logger.',
    });
  }
  return {
    powerW: offline ? 0 : possible ? statedW : null,
    lastSeenAt: seen ? new Date(seenAtMs).toISOString() : null,
    refused,
  };
}

/** Whether the vendor's own word for the plant is that nothing of it is connected. */
export function isAllOffline(latest: WireLatest): boolean {
  return String(latest.connectionStatus).toUpperCase() === 'ALL_OFFLINE';
}

/** Epoch seconds, which the vendor gives as a float or as text, in ms; null where it says none (also by 0), NaN where it cannot be. */
export function epochMsOf(value: unknown): number | null {
  const seconds = toNumber(value);
  if (seconds === null || seconds === 0) return null;
  return seconds > 0 && seconds < epochSMax ? Math.round(seconds * 1000) : Number.NaN;
}

interface WireDay {
  year: number;
  month: number;
  day: number;
  generationValue?: unknown;
}

/**
 * Day rows of `from` … `to` by their date. A date that comes twice keeps the higher value: late uploads only add. A row of
 * another day is not read: it need not be an energy.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for a row whose date does not exist or whose value is no energy.
 */
export function energyByDate(
  rows: readonly WireDay[],
  { from, to }: { from: LocalDate; to: LocalDate },
): Map<LocalDate, number | null> {
  const byDate = new Map<LocalDate, number | null>();
  for (const row of rows) {
    const date = dateOf(row);
    if (date < from || date > to) continue;
    const energyKwh = energyKwhOf(row.generationValue, 'generationValue', energySentinels);
    byDate.set(date, higherOf(byDate.get(date) ?? null, energyKwh));
  }
  return byDate;
}

/**
 * The energy of a month's last day, which has no row of its own while it runs: the month's total less the days before it.
 *
 * @param before The month's days before the last one. Days ahead of the first row are taken as before the plant was
 * built; a hole after it would be counted into the last day, so nothing is derived then.
 * @returns kWh in steps of 0.01, or null where it cannot be told.
 */
export function lastDayOfMonthKwh(
  date: LocalDate,
  monthKwh: number,
  before: ReadonlyMap<LocalDate, number | null>,
): number | null {
  let day = `${date.slice(0, 8)}01`;
  while (day < date && !before.has(day)) day = addDays(day, 1);
  let closedKwh = 0;
  for (; day < date; day = addDays(day, 1)) {
    const energyKwh = before.get(day) ?? null;
    if (energyKwh === null) return null;
    closedKwh += energyKwh;
  }
  const restKwh = Math.round((monthKwh - closedKwh) * 100) / 100;
  if (restKwh < -roundingKwh) return null;
  return Math.max(0, restKwh);
}

export function isLastOfMonth(date: LocalDate): boolean {
  return addDays(date, 1).endsWith('-01');
}

/**
 * An alarm of the list. Open while `status` is 1 and no end is stated.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for a time that is no epoch in seconds.
 */
export function alarmOf(row: WireAlert): VendorAlarm {
  const startedAt = alarmTime(row.alertStartTime, 'alertStartTime');
  if (startedAt === null) throw invalidFormat('station/alertList: alertStartTime is missing');
  const endedAt = alarmTime(row.alertEndTime, 'alertEndTime');
  const impact = toNumber(row.impact);
  const safety = impact !== null && impact >= safetyImpactMin;
  return {
    code: cleanText(row.alertCode),
    deviceSn: cleanText(row.deviceSn) || null,
    severity: safety ? 'CRITICAL' : severityByLevel[row.level],
    vendorLevel: safety ? `${row.level}, impact ${impact}` : String(row.level),
    text: cleanText(row.alertName) || cleanText(row.description) || `alarm ${row.alertCode}`,
    startedAt,
    endedAt,
    open: row.status === 1 && endedAt === null,
    // The vendor's list knows no alarm of a silent logger; F58 is the battery's own line and a fault like any other.
    communication: false,
  };
}

function alarmTime(value: unknown, what: string): string | null {
  const atMs = epochMsOf(value);
  if (atMs === null) return null;
  if (Number.isNaN(atMs)) throw invalidFormat(`station/alertList: ${what} is no epoch in seconds`);
  return new Date(atMs).toISOString();
}

function dateOf({ year, month, day }: WireDay): LocalDate {
  const date = new Date(Date.UTC(year, month - 1, day));
  const isReal =
    date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isReal) throw invalidFormat('station/history: a row has a date that does not exist');
  return date.toISOString().slice(0, 10);
}
