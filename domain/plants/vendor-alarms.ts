import { type AlertSeverity, type Condition, isSameKey } from '../alerts.ts';
import type { AlertKey, AlertsBefore, AlertType, Book, EndedAlert, PlantFacts } from './facts.ts';
import type { AlarmsAnswer, VendorAlarm } from './reading.ts';
import { dayMs, hourMs } from '../zone.ts';

/** What a vendor's answer about alarms does to the plant's alerts of type MOCK_FAULT. */

/** A request reaches back this much further than it must, because vendors' lists lag. */
const windowOverlapMs = hourMs;
/** How far before its activation a plant's alarms are requested; alarms open before that are recorded, not announced. */
const firstWindowMs = dayMs;
/** Tolerance, so that a poll that runs slightly earlier after its slot than the last one still requests alarms. */
const dueEarlyPart = 1 / 10;

/** Whether to request the alarms now: `alarmIntervalS` seconds after the last complete answer. */
export function alarmsDue(
  plant: Pick<PlantFacts, 'alarmsCompleteAtMs'>,
  alarmIntervalS: number,
  nowMs: number,
): boolean {
  const { alarmsCompleteAtMs } = plant;
  if (alarmsCompleteAtMs === null) return true;
  return nowMs - alarmsCompleteAtMs >= alarmIntervalS * 1_000 * (1 - dueEarlyPart);
}

/**
 * The start of the alarms to request, ms: an hour before the oldest active one began or the last complete answer came,
 * whichever is earlier; the first time, a day before the plant was activated.
 */
export function alarmsSince(
  plant: Pick<PlantFacts, 'alarmsCompleteAtMs' | 'activatedAtMs'>,
  oldestActiveVendorAlertStartMs: number | null,
  nowMs: number,
): number {
  const { alarmsCompleteAtMs } = plant;
  const sinceMs =
    alarmsCompleteAtMs === null ? firstSinceMs(plant, nowMs) : alarmsCompleteAtMs - windowOverlapMs;
  return oldestActiveVendorAlertStartMs === null
    ? sinceMs
    : Math.min(sinceMs, oldestActiveVendorAlertStartMs - windowOverlapMs);
}

function firstSinceMs(plant: Pick<PlantFacts, 'activatedAtMs'>, nowMs: number): number {
  return (plant.activatedAtMs ?? nowMs) - firstWindowMs;
}

/**
 * Reports and resolves vendor alarms. An alarm resolves when the vendor says that it is closed, or when a complete
 * answer that covers its start no longer has it. Absence from an incomplete answer resolves nothing.
 */
export function reconcileVendorAlarms(
  book: Book,
  before: AlertsBefore,
  answer: AlarmsAnswer & { since: string },
  nowMs: number,
): void {
  const sinceMs = Date.parse(answer.since);
  const merged = mergeByKey(answer.alarms);
  for (const alarm of merged) {
    if (alarm.open) reportOpen(book, before, alarm, nowMs);
    else closeAlarm(book, before, alarm, { sinceMs, nowMs });
  }
  if (!answer.complete) return;
  for (const alert of before.active) {
    const isCovered = alert.type === 'MOCK_FAULT' && alert.startedAtMs >= sinceMs;
    if (isCovered && !merged.some((alarm) => alarm.open && isSameKey(alarm.key, alert))) {
      book.resolve(alert, "No longer in the vendor's complete answer.");
    }
  }
}

/** The records of one key: open if one is, from the first start on, with the worst severity and that record's words. */
interface MergedAlarm {
  key: AlertKey;
  open: boolean;
  severity: AlertSeverity;
  startedAtMs: number;
  endedAtMs: number | null;
  words: VendorAlarm;
}

function mergeByKey(alarms: readonly VendorAlarm[]): MergedAlarm[] {
  const merged: MergedAlarm[] = [];
  for (const words of alarms) {
    const alarm: MergedAlarm = {
      key: { type: 'MOCK_FAULT', vendorAlarmCode: words.code, deviceSn: words.deviceSn },
      open: words.open,
      severity: severityOf(words),
      startedAtMs: Date.parse(words.startedAt),
      endedAtMs: words.endedAt === null ? null : Date.parse(words.endedAt),
      words,
    };
    const index = merged.findIndex((other) => isSameKey(other.key, alarm.key));
    const known = merged[index];
    if (known === undefined) merged.push(alarm);
    else merged[index] = merge(known, alarm);
  }
  return merged;
}

function merge(a: MergedAlarm, b: MergedAlarm): MergedAlarm {
  const worst = a.severity === 'YELLOW' && b.severity === 'RED' ? b : a;
  return {
    ...worst,
    open: a.open || b.open,
    startedAtMs: Math.min(a.startedAtMs, b.startedAtMs),
    endedAtMs: latest(a.endedAtMs, b.endedAtMs),
  };
}

function latest(aMs: number | null, bMs: number | null): number | null {
  return aMs === null || bMs === null ? (aMs ?? bMs) : Math.max(aMs, bMs);
}

/** CRITICAL and HIGH are RED; a pure communication alarm never is, because the rules of 2 h and 24 h judge communication. */
function severityOf(alarm: VendorAlarm): AlertSeverity {
  const isSevere = alarm.severity === 'CRITICAL' || alarm.severity === 'HIGH';
  return isSevere && !alarm.communication ? 'RED' : 'YELLOW';
}

function reportOpen(book: Book, before: AlertsBefore, alarm: MergedAlarm, nowMs: number): void {
  const { plant } = before;
  const isFirstAnswer = plant.alarmsCompleteAtMs === null;
  book.report({
    ...conditionOf(alarm),
    // An alert does not begin before the last one of its key has ended, even if the vendor's record does.
    startedAtMs: Math.max(alarm.startedAtMs, ...endsOf(alarm.key, before.ended)),
    muted: isFirstAnswer && alarm.startedAtMs < firstSinceMs(plant, nowMs),
  });
}

function closeAlarm(
  book: Book,
  before: AlertsBefore,
  alarm: MergedAlarm,
  { sinceMs, nowMs }: { sinceMs: number; nowMs: number },
): void {
  const endedAtMs = alarm.endedAtMs ?? nowMs;
  const active = before.active.find((alert) => isSameKey(alert, alarm.key));
  if (active !== undefined) {
    // A record that ended before the active alert began belongs to an earlier one.
    if (endedAtMs >= active.startedAtMs) {
      book.resolve(alarm.key, 'The vendor says that it is closed.', endedAtMs);
    }
    return;
  }
  const isKnown = before.ended.some((other) => isSameIncident(other, alarm, endedAtMs));
  // An alarm that began before the window was in an earlier answer, or began before the plant's first request.
  if (!isKnown && alarm.startedAtMs >= sinceMs) book.recordEnded(conditionOf(alarm), endedAtMs);
}

/** Of the same key, and with the same start or overlapping in time: the same thing cannot be broken twice at once. */
function isSameIncident(ended: EndedAlert, alarm: MergedAlarm, endedAtMs: number): boolean {
  if (!isSameKey(ended, alarm.key)) return false;
  const overlaps = ended.startedAtMs < endedAtMs && alarm.startedAtMs < ended.resolvedAtMs;
  return ended.startedAtMs === alarm.startedAtMs || overlaps;
}

function endsOf(key: AlertKey, ended: readonly EndedAlert[]): number[] {
  return ended.filter((other) => isSameKey(other, key)).map((other) => other.resolvedAtMs);
}

function conditionOf(alarm: MergedAlarm): Condition<AlertType> {
  const { words } = alarm;
  const device = words.deviceSn === null ? '' : ` on device ${words.deviceSn}`;
  const text = words.text === '' ? 'Vendor alarm' : words.text;
  return {
    ...alarm.key,
    severity: alarm.severity,
    startedAtMs: alarm.startedAtMs,
    message: `${text}${device} (the vendor's code ${words.code}, level ${words.vendorLevel}).`,
    vendorLevel: words.vendorLevel,
    vendorText: words.text,
  };
}
