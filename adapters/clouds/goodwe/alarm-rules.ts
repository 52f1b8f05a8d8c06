import type { VendorAlarm, VendorSeverity } from '../../../domain/plants/reading.ts';
import { cleanText, toNumber } from '../fields.ts';

/** Rules for alarm records that hold for both portals. */

/** Whether a record is of this plant: the portal is known to answer with the whole account's. */
export function isOfPlant(stationId: string | null | undefined, vendorPlantId: string): boolean {
  const id = stationId?.trim() ?? '';
  return id === '' || id.toLowerCase() === vendorPlantId.toLowerCase();
}

/** Real alarms name one fault; the register of 16 bits that are all set names up to sixteen, the last ones "TBD". */
const faultsOfAllOnesMin = 8;

/** Whether the text is what a battery without management shows: every fault there is, in a row. */
export function isAllOnes(name: unknown): boolean {
  const faults = cleanText(name, Number.POSITIVE_INFINITY).split('/');
  return faults.length >= faultsOfAllOnesMin && faults.includes('TBD');
}

/** The first candidate that is a code, in upper case: the vendor spells the same code with "e-" and "E-". */
export function firstCode(candidates: readonly unknown[]): string | null {
  for (const candidate of candidates) {
    const code = cleanText(candidate, 100)
      .toUpperCase()
      .replace(/_WARNING$/, '');
    if (code !== '' && code !== '0' && code !== '--') return code;
  }
  return null;
}

/** The grid went away: the plant did what it must, and it comes back by itself. */
const gridLoss =
  /\b(utility|grid|mains) (loss|lost|outage)\b|\b(loss of|no) (utility|grid|mains)\b/i;

/** The level of a fault, by its name. */
export function faultSeverity(name: string): VendorSeverity {
  return gridLoss.test(name) ? 'MEDIUM' : 'HIGH';
}

/** Start and end in UTC. An end before the start is a database's default date, and so no end. */
export function spanOf(
  startedAtMs: number,
  recoveredAtMs: number | null,
): Pick<VendorAlarm, 'startedAt' | 'endedAt'> {
  const ended = recoveredAtMs !== null && recoveredAtMs >= startedAtMs;
  return {
    startedAt: new Date(startedAtMs).toISOString(),
    endedAt: ended ? new Date(recoveredAtMs).toISOString() : null,
  };
}

/** An alarm out of what a portal's record says of it. */
export function alarmFrom(
  record: { devicesn?: unknown; status?: unknown },
  { code, name, level, severity, span }: AlarmParts,
): VendorAlarm {
  return {
    code,
    deviceSn: cleanText(record.devicesn) || null,
    severity,
    vendorLevel: level,
    text: name === '' ? code : name,
    ...span,
    open: span.endedAt === null && toNumber(record.status) !== 1,
    // None is known: the portals' lists hold what inverters report, and a silent logger reports nothing.
    communication: false,
  };
}

interface AlarmParts extends Pick<VendorAlarm, 'code' | 'severity'> {
  /** The fault's name; empty: the record has none. */
  name: string;
  level: string;
  span: Pick<VendorAlarm, 'startedAt' | 'endedAt'>;
}

/** Whether the alarm was open at `since`, or began later. */
export function concerns({ open, startedAt, endedAt }: VendorAlarm, since: Date): boolean {
  return open || Date.parse(endedAt ?? startedAt) >= since.getTime();
}
