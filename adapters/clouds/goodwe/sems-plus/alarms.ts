import type { VendorAlarm, VendorSeverity } from '../../../../domain/plants/reading.ts';
import { invalidFormat } from '../../adapter-error.ts';
import { cleanText, toNumber } from '../../fields.ts';
import {
  alarmFrom,
  concerns,
  faultSeverity,
  firstCode,
  isAllOnes,
  isOfPlant,
  spanOf,
} from '../alarm-rules.ts';
import type { PlusAlarm } from './wire.schema.ts';

/**
 * The alarms of one plant that were open at `since` or began later, one for each record.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for a record without a readable start, or that does not say what it is about.
 */
export function alarmsOf(
  records: readonly PlusAlarm[],
  vendorPlantId: string,
  since: Date,
): VendorAlarm[] {
  return records
    .filter(
      (record) => isOfPlant(record.stationId, vendorPlantId) && !isAllOnes(record.warningNameEn),
    )
    .map(alarmOf)
    .filter((alarm) => concerns(alarm, since));
}

function alarmOf(record: PlusAlarm): VendorAlarm {
  const code = firstCode([record.warning_code, record.error_code, record.warningname]);
  if (code === null) {
    throw invalidFormat('alarms: a record has neither warning_code nor error_code nor warningname');
  }
  const startedAtMs = instantOf(record.happentime);
  if (startedAtMs === null) throw invalidFormat('alarms: happentime is missing');
  const span = spanOf(startedAtMs, instantOf(record.recoverytime));
  const name = cleanText(record.warningNameEn);
  const level = cleanText(record.alarmLevel);
  return alarmFrom(record, { code, name, level, severity: severityOf(level, name), span });
}

/** Years of four digits: what an instant in ms may be. */
const latestMs = Date.UTC(9999, 11, 31);

/** null where the portal says nothing. @throws AdapterError INVALID_DATA_FORMAT for anything but epoch ms. */
function instantOf(value: unknown): number | null {
  const atMs = toNumber(value);
  if (atMs === null || atMs === 0) return null;
  if (!Number.isInteger(atMs) || atMs < 0 || atMs > latestMs) {
    throw invalidFormat('alarms: a time is no time in ms');
  }
  return atMs;
}

/** The portal's three levels, by the last word of `alarmLevel`; without one an alarm counts as a fault. */
function severityOf(level: string, name: string): VendorSeverity {
  switch (level.slice(level.lastIndexOf('_') + 1).toLowerCase()) {
    case 'prompt':
      return 'LOW';
    case 'alarm':
      return 'MEDIUM';
    default:
      return faultSeverity(name);
  }
}
