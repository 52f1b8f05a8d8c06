import type { AlertSeverity, ClosingVerdict } from '../domain/plants/facts.ts';
import type { Brand } from '../domain/plants/plant.ts';
import type { Fail, Polled } from './judging.ts';
import { dateAt } from './calendar.ts';
import { type Store, type StoredAlert, keyOf, type Notification } from './store.ts';
import type { PlantLife } from './life.ts';
import { type Day, isTellingTime, type Low, runningSays } from './oracle.ts';
import type { ShownAlarm, ShownAlarms } from './vendor.ts';

/** Judges which alerts are active, how they began and ended, and what people were told. */

const hourMs = 3_600_000;
const sixHoursMs = 6 * hourMs;

interface Facts {
  failures: number;
  lastSeenAtMs: number | null;
  days: ReadonlyMap<string, Day>;
}

/** The numbers of events and notifications of an alert after the previous evaluation. */
interface Known {
  events: number;
  notifications: number;
}

export class AlertsCheck {
  readonly #life: PlantLife;
  readonly #store: Store;
  readonly #accountPlants: readonly string[];
  readonly #fail: Fail;
  readonly #known = new Map<string, Known>();
  /** Ids of ended alerts that were judged. */
  readonly #over = new Set<string>();
  /** The vendor's alarms that must be active, by key. */
  #faults = new Map<string, AlertSeverity>();
  #alarmsCompleteAtMs: number | null = null;
  #isRefused = false;
  #areAlarmsMissing = false;
  #low: Low = null;
  #streak: { date: string; isBelow: boolean; verdicts: number; belowTen: number } | null = null;

  constructor(life: PlantLife, store: Store, accountPlants: readonly string[], fail: Fail) {
    this.#life = life;
    this.#store = store;
    this.#accountPlants = accountPlants;
    this.#fail = fail;
  }

  afterPoll(polled: Polled, facts: Facts): void {
    const { nowMs, result } = polled;
    if (result.kind === 'FAILURE') this.#afterFailure(polled);
    else {
      this.#isRefused = false;
      this.#judgeAlarms(polled);
      this.#judgeMissingAlarms(nowMs);
      this.#judgeRunningDay(polled, facts);
    }
    this.#judgeStanding(nowMs, facts);
    this.#judgeLives(nowMs);
  }

  afterEvaluation(
    nowMs: number,
    closing: ClosingVerdict | null,
    lastSeenAtMs: number | null,
  ): void {
    if (closing?.severity === 'NORMAL') this.#low = 'NORMAL';
    else if (closing !== null && closing.severity !== null) this.#raiseLow(closing.severity);
    this.#judgeOffline(nowMs, lastSeenAtMs);
    this.#judgeLow();
    this.#judgeLives(nowMs);
  }

  /** An acknowledgement by people adds an event that the rules did not write. */
  afterDecision(): void {
    for (const alert of this.#store.alerts(this.#life.id)) {
      const known = this.#known.get(alert.id);
      if (known !== undefined && !this.#over.has(alert.id)) known.events = alert.events.length;
    }
  }

  #afterFailure({ result, areCredentialsCurrent, changes }: Polled): void {
    if (result.kind !== 'FAILURE') return;
    const isRefused = result.failure.type === 'AUTH_FAILED' && areCredentialsCurrent;
    if (changes.pauseAccount !== isRefused)
      this.#fail(
        `the account is ${changes.pauseAccount ? '' : 'not '}paused by ${result.failure.type}`,
      );
    if (!isRefused) return;
    // Another plant of the account may have been refused first; then its alert is the only one.
    const saying = this.#accountPlants.filter((plantId) =>
      this.#store
        .alerts(plantId)
        .some((alert) => alert.state !== 'RESOLVED' && isOf(alert, 'AUTH')),
    );
    if (saying.length === 0) this.#fail('credentials were refused, and no plant says so');
    this.#isRefused = saying.includes(this.#life.id);
  }

  /** After an answer about alarms: open alarms are active with their worst severity; an incomplete list ends nothing that it lacks. */
  #judgeAlarms({ result, heard, nowMs }: Polled): void {
    if (result.kind !== 'READING') return;
    const { alarms } = result.reading;
    if (alarms === null || !('alarms' in alarms)) return;
    const said = heard?.alarms ?? null;
    if (said === null) return this.#fail('an answer about alarms that the vendor did not give');
    const isComplete = this.#isComplete(said, alarms.complete);
    const { open, closed } = byKey(said, this.#life.brand, Date.parse(alarms.since));
    const before = this.#faults;
    this.#faults = new Map(open);
    for (const [key, severity] of before) {
      const now = open.get(key);
      if (now !== undefined) this.#faults.set(key, severity === 'RED' ? 'RED' : now);
      else if (!isComplete && !this.#isSaidClosed(key, closed)) this.#faults.set(key, severity);
    }
    if (isComplete) this.#alarmsCompleteAtMs = nowMs;
  }

  /** Whether the list is complete. GoodWe's adapter cannot count records that come twice, so it may call a complete list incomplete. */
  #isComplete({ isCutOff }: ShownAlarms, saysComplete: boolean): boolean {
    if (isCutOff && saysComplete) this.#fail('a list that is cut off is taken for a whole one');
    if (!isCutOff && !saysComplete && this.#life.brand !== 'GOODWE')
      this.#fail('a whole list is taken for one that is cut off');
    return saysComplete;
  }

  /** Whether the list says that the alarm has ended and its alert is over. A record that ended before the alert began is of an earlier one. */
  #isSaidClosed(key: string, closed: ReadonlyMap<string, number>): boolean {
    const endMs = closed.get(key);
    const active = this.#active().some((alert) => keyOf(alert) === key);
    // The store says whether the alert ended; only an end that the list does not state is a mistake.
    return endMs !== undefined && !active;
  }

  #judgeMissingAlarms(nowMs: number): void {
    const { activatedAtMs } = this.#store.findPlant(this.#life.id);
    const sinceMs = Math.max(this.#alarmsCompleteAtMs ?? 0, activatedAtMs ?? nowMs);
    if (nowMs - sinceMs >= sixHoursMs) this.#areAlarmsMissing = true;
    else if (this.#alarmsCompleteAtMs === nowMs) this.#areAlarmsMissing = false;
  }

  #judgeRunningDay({ booked, nowMs, slotMs }: Polled, { lastSeenAtMs, days }: Facts): void {
    if (booked === null) return;
    const today = dateAt(nowMs, this.#life.place.timezone);
    const isSeen = lastSeenAtMs !== null && nowMs - lastSeenAtMs <= 2 * hourMs;
    const kwh = booked.bookedDate === today && isSeen ? booked.todayEnergyKwh : null;
    const says = runningSays({ today, kwh, seenAtMs: booked.seenAtMs, slotMs }, days, this.#life);
    if (says === null) return;
    const isBelow = says !== 'NORMAL';
    const before = this.#streak;
    const goesOn = before?.date === today && before.isBelow === isBelow;
    this.#streak = {
      date: today,
      isBelow,
      verdicts: (goesOn ? before.verdicts : 0) + 1,
      belowTen: says === 'RED' ? (goesOn ? before.belowTen : 0) + 1 : 0,
    };
    if (this.#streak.verdicts < 3) return;
    if (!isBelow) this.#low = 'NORMAL';
    else this.#raiseLow(this.#streak.belowTen >= 3 ? 'RED' : 'YELLOW');
  }

  /** Nothing lowers an active alert. */
  #raiseLow(severity: AlertSeverity): void {
    if (this.#low !== 'RED') this.#low = severity;
  }

  #judgeStanding(nowMs: number, { failures, lastSeenAtMs }: Facts): void {
    const active = this.#active();
    const faults = new Map(
      active
        .filter(({ type }) => type === 'MOCK_FAULT')
        .map((alert) => [keyOf(alert), alert.severity]),
    );
    const [are, must] = [textOf(faults), textOf(this.#faults)];
    if (are !== must) this.#fail(`active vendor alarms ${are}, expected ${must}`);
    this.#judge('POLL', failures >= 3);
    this.#judge('AUTH', this.#isRefused);
    this.#judge('ALARMS', this.#areAlarmsMissing);
    this.#judgeOffline(nowMs, lastSeenAtMs);
    this.#judgeLow();
    // No inverter of a simulation dies without its plant.
    if (active.some(({ type }) => type === 'DEVICE_DOWN'))
      this.#fail('DEVICE_DOWN of a device that is well');
  }

  #judge(code: string, isExpected: boolean): void {
    const isActive = this.#active().some((alert) => isOf(alert, code));
    if (isActive !== isExpected)
      this.#fail(`API_ERROR ${code} is ${isActive ? '' : 'not '}active, against expectation`);
  }

  #judgeOffline(nowMs: number, lastSeenAtMs: number | null): void {
    const { integrationStatus, activatedAtMs } = this.#store.findPlant(this.#life.id);
    const isActive = this.#active().some(({ type }) => type === 'OFFLINE');
    const isSeen = lastSeenAtMs !== null && nowMs - lastSeenAtMs <= 24 * hourMs;
    if (isSeen && isActive) this.#fail('OFFLINE although it was seen within 24 h');
    if (isSeen || integrationStatus !== 'ACTIVE' || activatedAtMs === null) return;
    const isGone = lastSeenAtMs !== null || nowMs - activatedAtMs >= 24 * hourMs;
    if (isGone !== isActive) this.#fail(`OFFLINE is ${isActive ? '' : 'not '}active`);
  }

  #judgeLow(): void {
    const alert = this.#active().find(({ type }) => type === 'LOW_GENERATION');
    const expected = this.#low === 'NORMAL' ? null : this.#low;
    const actual = alert?.severity ?? null;
    if (actual !== expected) this.#fail(`LOW_GENERATION is ${actual}, expected ${expected}`);
  }

  /** One active alert for each key, events in an order that can be, and their notifications. */
  #judgeLives(nowMs: number): void {
    const keys = new Set<string>();
    for (const alert of this.#store.alerts(this.#life.id)) {
      if (this.#over.has(alert.id)) continue;
      const known = this.#known.get(alert.id) ?? { events: 0, notifications: 0 };
      this.#judgeEvents(alert, known.events);
      for (const told of alert.notifications.slice(known.notifications))
        this.#judgeTold(alert, told, known.events);
      this.#known.set(alert.id, {
        events: alert.events.length,
        notifications: alert.notifications.length,
      });
      if (alert.state === 'RESOLVED') {
        this.#judgeEnd(alert, nowMs);
        this.#over.add(alert.id);
        continue;
      }
      const key = keyOf(alert);
      if (keys.has(key)) this.#fail(`two active alerts of ${key}`);
      keys.add(key);
      this.#judgeUntold(alert, nowMs);
    }
  }

  #judgeEvents(alert: StoredAlert, from: number): void {
    for (let index = from; index < alert.events.length; index += 1) {
      const [event, before] = [alert.events[index], alert.events[index - 1]];
      if (event === undefined) continue;
      const isFirst = before === undefined && event.from === null && event.to === 'NEW';
      // No event leaves RESOLVED.
      const isNext = before !== undefined && event.from === before.to;
      const isIdle = event.to === before?.to && event.severity === before.severity;
      const isLower = before?.severity === 'RED' && event.severity === 'YELLOW';
      if (isIdle || isLower || !(isFirst || isNext))
        this.#fail(`alert ${alert.id}: ${event.from} → ${event.to} after ${before?.to}`);
    }
  }

  #judgeTold(alert: StoredAlert, told: Notification, eventsBefore: number): void {
    const { kind, createdAtMs, notBeforeMs, severity } = told;
    const plant = this.#store.findPlant(this.#life.id);
    const what = `${kind} of ${keyOf(alert)} at ${new Date(notBeforeMs).toISOString()}`;
    const isUrgent = alert.type === 'MOCK_FAULT' && severity === 'RED' && kind !== 'RECOVERED';
    if (isUrgent) {
      if (notBeforeMs !== createdAtMs) this.#fail(`${what} is put off`);
    } else if (!isTellingTime(notBeforeMs, plant.timezone)) this.#fail(`${what} wakes people`);
    else if (notBeforeMs !== createdAtMs && isTellingTime(createdAtMs, plant.timezone))
      this.#fail(`${what} is put off by day`);
    if (notBeforeMs - createdAtMs > 24 * hourMs) this.#fail(`${what} comes a day late`);
    if (plant.alertsSilencedUntilMs !== null && createdAtMs < plant.alertsSilencedUntilMs)
      this.#fail(`${what} in spite of a silence`);
    if (plant.integrationStatus === 'DISABLED_BY_OPERATOR')
      this.#fail(`${what} of a plant that an operator has paused`);
    if (kind === 'RECOVERED') {
      const wasTold = notificationsBefore(alert, told).some(
        (one) => one.droppedAtMs === null && one.notBeforeMs <= createdAtMs,
      );
      if (!wasTold) this.#fail(`${what}, of an alert that was never told`);
      return;
    }
    if (alert.muted) this.#fail(`${what}, which was there before the plant`);
    const rose = alert.events
      .slice(Math.max(1, eventsBefore))
      .some(
        (event, index, events) => event.severity === 'RED' && events[index - 1]?.severity !== 'RED',
      );
    if (kind === 'ESCALATED') {
      if (!rose) this.#fail(`${what} without a rise`);
      return;
    }
    const lastMs = this.#lastTold(alert, told);
    if (lastMs !== null && createdAtMs - lastMs <= sixHoursMs)
      this.#fail(`${what}, told ${Math.round((createdAtMs - lastMs) / 60_000)} min before`);
  }

  /** When people were last told, or will be, of this alert or of an earlier one with the same key. */
  #lastTold(alert: StoredAlert, told: Notification | null): number | null {
    const times = notificationsBefore(alert, told)
      .filter(isTold)
      .map(({ notBeforeMs }) => notBeforeMs);
    const atMs = told?.createdAtMs ?? Infinity;
    for (const other of this.#store.alerts(this.#life.id)) {
      if (other === alert || keyOf(other) !== keyOf(alert)) continue;
      for (const one of other.notifications) {
        if (!isTold(one)) continue;
        // What was told of a yellow alert does not count for a red one.
        if (other.severity === 'YELLOW' && alert.events[0]?.severity === 'RED') continue;
        if (one.notBeforeMs <= atMs) times.push(one.notBeforeMs);
      }
    }
    return times.length === 0 ? null : Math.max(...times);
  }

  /** A NEW alert that was not told for 6 h must be told at once. */
  #judgeUntold(alert: StoredAlert, nowMs: number): void {
    if (alert.state !== 'NEW' || alert.muted || this.#isSilent(nowMs)) return;
    const lastMs = this.#lastTold(alert, null);
    if (lastMs === null || nowMs - lastMs > sixHoursMs)
      this.#fail(`${keyOf(alert)} was told to nobody`);
  }

  #judgeEnd(alert: StoredAlert, nowMs: number): void {
    const told = alert.notifications.filter(isTold);
    if (told.some(({ notBeforeMs }) => notBeforeMs > nowMs))
      this.#fail(`${keyOf(alert)} has ended and is still to be told`);
    if ((alert.resolvedAtMs ?? 0) > nowMs || (alert.resolvedAtMs ?? 0) < alert.startedAtMs)
      this.#fail(`${keyOf(alert)} ends at an impossible time`);
    const wasTold = told.some(({ notBeforeMs }) => notBeforeMs <= nowMs);
    const recovered = alert.notifications.filter(({ kind }) => kind === 'RECOVERED').length;
    if (wasTold && !this.#isSilent(nowMs) && recovered !== 1)
      this.#fail(`the end of ${keyOf(alert)} is told ${recovered} times`);
  }

  #isSilent(nowMs: number): boolean {
    const { alertsSilencedUntilMs, integrationStatus } = this.#store.findPlant(this.#life.id);
    return (
      nowMs < (alertsSilencedUntilMs ?? -Infinity) || integrationStatus === 'DISABLED_BY_OPERATOR'
    );
  }

  #active(): StoredAlert[] {
    return this.#store.alerts(this.#life.id).filter(({ state }) => state !== 'RESOLVED');
  }
}

function notificationsBefore(alert: StoredAlert, told: Notification | null): Notification[] {
  const end = told === null ? alert.notifications.length : alert.notifications.indexOf(told);
  return alert.notifications.slice(0, end);
}

/** Whether the notification is, or will be, sent and is about trouble. */
function isTold({ kind, droppedAtMs }: Notification): boolean {
  return kind !== 'RECOVERED' && droppedAtMs === null;
}

function isOf(alert: StoredAlert, code: string): boolean {
  return alert.type === 'API_ERROR' && alert.vendorAlarmCode === code;
}

/** Records of one key together: open if one is, with the worst severity; else its latest end. */
function byKey({ alarms }: ShownAlarms, brand: Brand, sinceMs: number) {
  const open = new Map<string, AlertSeverity>();
  const closed = new Map<string, number>();
  const severities = new Map<string, AlertSeverity>();
  for (const alarm of alarms) {
    // A record that ended before the time asked for is not part of this answer.
    if (alarm.endMs !== null && alarm.endMs < sinceMs) continue;
    const key = keyOf({
      type: 'MOCK_FAULT',
      vendorAlarmCode: alarm.code,
      deviceSn: alarm.deviceSn,
    });
    const severity = severityOf(alarm, brand);
    if (severities.get(key) !== 'RED') severities.set(key, severity);
    if (alarm.endMs === null) open.set(key, severity);
    else closed.set(key, Math.max(closed.get(key) ?? 0, alarm.endMs));
  }
  for (const key of open.keys()) {
    open.set(key, severities.get(key) ?? 'YELLOW');
    closed.delete(key);
  }
  return { open, closed };
}

/** Huawei's "network connection error" is YELLOW at most. */
function severityOf(alarm: ShownAlarm, brand: Brand): AlertSeverity {
  const isCommunication = brand === 'HUAWEI' && alarm.code === '999999999';
  return alarm.isSevere && !isCommunication ? 'RED' : 'YELLOW';
}

function textOf(faults: ReadonlyMap<string, AlertSeverity>): string {
  const parts = [...faults].map(([key, severity]) => `${key} ${severity}`);
  return parts.length === 0 ? 'none' : parts.toSorted().join(', ');
}
