import type { AlertChange, NewAlert } from '../../domain/plants/changes.ts';
import type {
  ActiveAlert,
  AlertsBefore,
  DayRow,
  EndedAlert,
  PlantFacts,
} from '../../domain/plants/facts.ts';
import type { PollBefore } from '../../domain/plants/poll.ts';
import type { PlantSummary, Reading, VendorAlarm } from '../../domain/plants/reading.ts';
import { hourMs } from '../../domain/zone.ts';

/** Facts for tests: an ordinary plant on an ordinary day, of which each test changes what it is about. */

/** Noon at the plant, on a summer's day: 12:00 in Madrid. */
export const noonMs = Date.parse('2026-06-10T10:00:00Z');
export const today = '2026-06-10';

export function samplePlant(different: Partial<PlantFacts> = {}): PlantFacts {
  return {
    plantId: 'plant-1',
    timezone: 'Europe/Madrid',
    latitude: 40.4168,
    longitude: -3.7038,
    installedCapacityKw: 10,
    pollIntervalS: 600,
    integrationStatus: 'ACTIVE',
    activatedAtMs: Date.parse('2026-01-01T00:00:00Z'),
    status: 'GREEN',
    statusReason: 'SEEN_RECENTLY',
    statusSinceMs: noonMs - 5 * hourMs,
    lastSeenAtMs: noonMs - 600_000,
    lastSeenSource: 'VENDOR',
    consecutiveFailures: 0,
    alertsSilencedUntilMs: null,
    statusProfile: 'STRICT',
    devices: null,
    lowGenerationStreak: null,
    alarmsCompleteAtMs: noonMs - 900_000,
    ...different,
  };
}

export function sampleDay(date: string, different: Partial<DayRow> = {}): DayRow {
  const todayEnergyKwh = different.todayEnergyKwh ?? 40;
  return {
    date,
    todayEnergyKwh,
    peakPowerW: 8_000,
    lifetimeEnergyKwh: null,
    quality: 'LIVE',
    complete: true,
    lastSeenAtMs: Date.parse(`${date}T19:00:00Z`),
    liveEnergyKwh: todayEnergyKwh,
    ...different,
  };
}

/** The 7 complete days before `today`, of 40 kWh each. */
export function sampleWeek(different: Partial<DayRow> = {}): DayRow[] {
  return ['03', '04', '05', '06', '07', '08', '09'].map((day) =>
    sampleDay(`2026-06-${day}`, different),
  );
}

/** Measured at noon, 15 kWh so far. */
export function sampleSummary(different: Partial<PlantSummary> = {}): PlantSummary {
  return {
    todayEnergyKwh: 15,
    powerW: 7_000,
    lifetimeEnergyKwh: null,
    lifetimeResolutionKwh: null,
    lastSeenAt: new Date(noonMs).toISOString(),
    devices: [],
    refused: [],
    ...different,
  };
}

export function sampleReading(
  summary: Partial<PlantSummary> = {},
  alarms: Reading['alarms'] = null,
): { kind: 'READING'; reading: Reading } {
  return { kind: 'READING', reading: { summary: sampleSummary(summary), alarms } };
}

export function sampleAlarm(different: Partial<VendorAlarm> = {}): VendorAlarm {
  return {
    code: '2032',
    deviceSn: 'INV-1',
    severity: 'CRITICAL',
    vendorLevel: '1',
    text: 'Grid loss',
    startedAt: new Date(noonMs - 1_800_000).toISOString(),
    endedAt: null,
    open: true,
    communication: false,
    ...different,
  };
}

/** A complete answer that reaches back 25 h, unless it says otherwise. */
export function sampleAnswer(
  alarms: VendorAlarm[],
  { complete = true, sinceMs = noonMs - 25 * hourMs } = {},
): Exclude<Reading['alarms'], null> {
  return { alarms, complete, since: new Date(sinceMs).toISOString() };
}

export function sampleBefore(different: Partial<PollBefore> = {}): PollBefore {
  return {
    plant: samplePlant(),
    days: sampleWeek(),
    askedInVain: [],
    daysAtTime: [],
    active: [],
    incident: null,
    hasCredentials: true,
    ended: [],
    ...different,
  };
}

/** An alert that was announced when it began, an hour ago. */
export function sampleAlert(different: Partial<ActiveAlert> = {}): ActiveAlert {
  return {
    id: '1',
    type: 'MOCK_FAULT',
    vendorAlarmCode: '2032',
    deviceSn: 'INV-1',
    severity: 'RED',
    state: 'NEW',
    startedAtMs: noonMs - hourMs,
    lastSeenAtMs: noonMs - 600_000,
    ackedUntilMs: null,
    lastNotifiedAtMs: noonMs - hourMs,
    announcedNotBeforeMs: noonMs - hourMs,
    muted: false,
    ...different,
  };
}

/**
 * The alerts after an evaluation's changes, as PostgreSQL would hold them. Throws where the changes break the life of an
 * alert: a second active one of a key, a change of one that is not active, a severity that does not rise.
 */
export function applyAlertChanges(
  before: Pick<AlertsBefore, 'active' | 'ended'>,
  changes: readonly AlertChange[],
  nowMs: number,
): Pick<AlertsBefore, 'active' | 'ended'> {
  const active = new Map(before.active.map((alert) => [alert.id, alert]));
  const ended: EndedAlert[] = [...before.ended];
  const find = (id: string): ActiveAlert => {
    const alert = active.get(id);
    if (alert === undefined) throw new Error(`alert ${id} is not active`);
    return alert;
  };
  for (const [index, change] of changes.entries()) {
    switch (change.kind) {
      case 'RAISE': {
        const key = keyOf(change.alert);
        if ([...active.values()].some((other) => keyOf(other) === key)) {
          throw new Error(`a second active alert of ${key}`);
        }
        const id = `${nowMs}-${index}`;
        active.set(id, raised(id, change.alert, change.announce?.notBeforeMs ?? null, nowMs));
        break;
      }
      case 'RECORD_ENDED':
        ended.push({ ...change.alert, resolvedAtMs: change.endedAtMs });
        break;
      case 'SEEN':
        active.set(change.id, { ...find(change.id), lastSeenAtMs: nowMs });
        break;
      case 'RISE': {
        const alert = find(change.id);
        if (alert.severity !== 'YELLOW') throw new Error(`alert ${change.id} cannot rise`);
        const risen: ActiveAlert = {
          ...alert,
          severity: change.severity,
          state: 'NEW',
          ackedUntilMs: null,
        };
        // What was still to come gives way to the announcement of the rise.
        if (change.announce !== null && (risen.announcedNotBeforeMs ?? 0) > nowMs)
          risen.announcedNotBeforeMs = null;
        active.set(change.id, announced(risen, change.announce?.notBeforeMs ?? null));
        break;
      }
      case 'ACK_ENDED': {
        const alert = find(change.id);
        if (alert.state !== 'ACKED') throw new Error(`alert ${change.id} was not acknowledged`);
        active.set(change.id, { ...alert, state: 'NEW', ackedUntilMs: null });
        break;
      }
      case 'REMIND':
        active.set(change.id, announced(find(change.id), change.announce.notBeforeMs));
        break;
      case 'RESOLVE': {
        const alert = find(change.id);
        if (change.atMs < alert.startedAtMs) throw new Error(`${change.id} ends before it began`);
        const { lastNotifiedAtMs } = alert;
        const isDropped = change.dropPending && (lastNotifiedAtMs ?? 0) > nowMs;
        ended.push({
          ...alert,
          resolvedAtMs: change.atMs,
          lastNotifiedAtMs: isDropped ? null : lastNotifiedAtMs,
        });
        active.delete(change.id);
        break;
      }
    }
  }
  return { active: [...active.values()], ended };
}

function keyOf(alert: Pick<ActiveAlert, 'type' | 'vendorAlarmCode' | 'deviceSn'>): string {
  return JSON.stringify([alert.type, alert.vendorAlarmCode, alert.deviceSn]);
}

function raised(
  id: string,
  alert: NewAlert,
  notBeforeMs: number | null,
  nowMs: number,
): ActiveAlert {
  return {
    ...alert,
    id,
    state: 'NEW',
    lastSeenAtMs: nowMs,
    ackedUntilMs: null,
    announcedNotBeforeMs: notBeforeMs,
  };
}

function announced(alert: ActiveAlert, notBeforeMs: number | null): ActiveAlert {
  if (notBeforeMs === null) return alert;
  return {
    ...alert,
    lastNotifiedAtMs: notBeforeMs,
    announcedNotBeforeMs: Math.min(alert.announcedNotBeforeMs ?? notBeforeMs, notBeforeMs),
  };
}
