import type { LocalDate } from '../../../domain/zone.ts';
import type { VendorAlarm, VendorSeverity } from '../../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../../domain/zone.ts';
import { invalidFormat } from '../adapter-error.ts';
import { cleanText, toNumber } from '../fields.ts';
import { portalInstantMs } from './portal-time.ts';
import type { AlarmRecord } from './wire.schema.ts';

/** The longest span of one alarm request: what the vendor's OpenAPI allows; the portal itself asks by the month. */
export const windowDaysMax = 30;
/** The farthest back that alarms are kept (OpenAPI). What began before cannot be proven to be over. */
export const historyDaysMax = 60;

/** A span of local dates, both included. */
export interface AlarmWindow {
  from: LocalDate;
  to: LocalDate;
}

/**
 * The spans to ask for, newest first. The vendor filters by when an alarm began, so they always reach back a month: an
 * alarm that has been on for two weeks is found too. A day is added at either end, since it is nowhere said whether the
 * filter counts by the plant's clock, the user's or the server's.
 *
 * @returns `complete` false where `since` lies farther back than the vendor keeps alarms.
 */
export function alarmWindows(
  since: Date,
  now: Date,
  timezone: string,
): { windows: AlarmWindow[]; complete: boolean } {
  const last = addDays(localDateAt(now.getTime(), timezone), 1);
  const wanted = addDays(localDateAt(since.getTime(), timezone), -1);
  const kept = addDays(last, 1 - historyDaysMax);
  const windows: AlarmWindow[] = [];
  for (let to = last; windows.length === 0 || (to >= wanted && to >= kept);) {
    const from = addDays(to, 1 - windowDaysMax);
    windows.push({ from, to });
    to = addDays(from, -1);
  }
  return { windows, complete: wanted >= kept };
}

/**
 * The alarms of one plant that were open at `since` or began later, one for each record.
 *
 * Records of other plants are left out: the portal is known to answer with the whole account's. So is the text that a
 * battery without management shows, in which every fault there is stands in a row.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for a record without a readable start, or that does not say what it is about.
 */
export function alarmsOf(
  records: readonly AlarmRecord[],
  plant: { vendorPlantId: string; timezone: string },
  since: Date,
): VendorAlarm[] {
  return records
    .filter((record) => isOfPlant(record, plant.vendorPlantId) && !isAllOnes(record))
    .map((record) => alarmOf(record, plant.timezone))
    .filter(
      ({ open, startedAt, endedAt }) => open || Date.parse(endedAt ?? startedAt) >= since.getTime(),
    );
}

function isOfPlant({ stationId }: AlarmRecord, vendorPlantId: string): boolean {
  const id = stationId?.trim() ?? '';
  return id === '' || id.toLowerCase() === vendorPlantId.toLowerCase();
}

/** Real alarms name one fault; the register of 16 bits that are all set names up to sixteen, the last ones "TBD". */
const faultsOfAllOnesMin = 8;

function isAllOnes({ warningname }: AlarmRecord): boolean {
  const faults = cleanText(warningname, Number.POSITIVE_INFINITY).split('/');
  return faults.length >= faultsOfAllOnesMin && faults.includes('TBD');
}

function alarmOf(record: AlarmRecord, timezone: string): VendorAlarm {
  const code = codeOf(record);
  const startedAtMs = portalInstantMs(record.happentime, timezone);
  if (startedAtMs === null)
    throw invalidFormat('alarms: happentime is no time of the form MM/dd/yyyy HH:mm:ss');
  const recoveredAtMs = recoveryOf(record, timezone);
  // A recovery before the alarm is a database's default date ("01/01/0001").
  const endedAtMs = recoveredAtMs !== null && recoveredAtMs >= startedAtMs ? recoveredAtMs : null;
  const name = cleanText(record.warningname);
  const level = cleanText(record.warninglevel);
  return {
    code,
    deviceSn: cleanText(record.devicesn) || null,
    severity: severityOf(level, name),
    vendorLevel: level,
    text: name === '' ? code : name,
    startedAt: new Date(startedAtMs).toISOString(),
    endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
    open: endedAtMs === null && toNumber(record.status) !== 1,
    // None is known: the portal's list holds what inverters report, and a silent logger reports nothing.
    communication: false,
  };
}

/** The vendor's type code, in upper case: it spells the same code with "e-" and "E-". */
function codeOf({ error_code, warning_code, warningname }: AlarmRecord): string {
  for (const candidate of [error_code, warning_code, warningname]) {
    const code = cleanText(candidate, 100)
      .toUpperCase()
      .replace(/_WARNING$/, '');
    if (code !== '' && code !== '0' && code !== '--') return code;
  }
  throw invalidFormat('alarms: a record has neither error_code nor warning_code nor warningname');
}

function recoveryOf({ recoverytime }: AlarmRecord, timezone: string): number | null {
  const text = recoverytime?.trim() ?? '';
  if (text === '' || text === '--') return null;
  const atMs = portalInstantMs(text, timezone);
  if (atMs === null)
    throw invalidFormat('alarms: recoverytime is no time of the form MM/dd/yyyy HH:mm:ss');
  return atMs;
}

/**
 * Levels that are surely milder than a fault. The portal's words are fault, warning and info, its filter a mask of three
 * bits of which 7 means all. Which end of the mask is the fault is not published; the middle is the warning either way.
 */
const mildLevels = new Set(['2', 'warning', 'info']);

/** The grid went away: the plant did what it must, and it comes back by itself. */
const gridLoss =
  /\b(utility|grid|mains) (loss|lost|outage)\b|\b(loss of|no) (utility|grid|mains)\b/i;

function severityOf(level: string, name: string): VendorSeverity {
  if (mildLevels.has(level.toLowerCase())) return 'LOW';
  return gridLoss.test(name) ? 'MEDIUM' : 'HIGH';
}
