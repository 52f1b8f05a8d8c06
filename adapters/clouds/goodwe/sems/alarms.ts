import type { LocalDate } from '../../../../domain/zone.ts';
import type { VendorAlarm, VendorSeverity } from '../../../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../../../domain/zone.ts';
import { invalidFormat } from '../../adapter-error.ts';
import { cleanText } from '../../fields.ts';
import {
  alarmFrom,
  concerns,
  faultSeverity,
  firstCode,
  isAllOnes,
  isOfPlant,
  spanOf,
} from '../alarm-rules.ts';
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
    .filter(
      ({ stationId, warningname }) =>
        isOfPlant(stationId, plant.vendorPlantId) && !isAllOnes(warningname),
    )
    .map((record) => alarmOf(record, plant.timezone))
    .filter((alarm) => concerns(alarm, since));
}

function alarmOf(record: AlarmRecord, timezone: string): VendorAlarm {
  const code = firstCode([record.error_code, record.warning_code, record.warningname]);
  if (code === null) {
    throw invalidFormat('alarms: a record has neither error_code nor warning_code nor warningname');
  }
  const startedAtMs = portalInstantMs(record.happentime, timezone);
  if (startedAtMs === null)
    throw invalidFormat('alarms: happentime is no time of the form MM/dd/yyyy HH:mm:ss');
  const span = spanOf(startedAtMs, recoveryOf(record, timezone));
  const name = cleanText(record.warningname);
  const level = cleanText(record.warninglevel);
  return alarmFrom(record, { code, name, level, severity: severityOf(level, name), span });
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

function severityOf(level: string, name: string): VendorSeverity {
  return mildLevels.has(level.toLowerCase()) ? 'LOW' : faultSeverity(name);
}
