import { isDeepStrictEqual } from 'node:util';

import type { AlertChange, Booked, BookedPoll, PlantChanges } from '../domain/plants/changes.ts';
import type {
  ActiveAlert,
  AlertsBefore,
  AlertSeverity,
  AlertState,
  DayAtTime,
  DayBefore,
  DayRow,
  EndedAlert,
  PlantFacts,
} from '../domain/plants/facts.ts';
import type { IntegrationStatus, Trigger } from '../domain/plants/plant.ts';
import type { PollLogArgs } from '../activities/plants/contract.ts';
import type { LocalDate } from '../domain/zone.ts';
import type { Reading } from '../domain/plants/reading.ts';
import { dateAfter, dateAt, wallMinutesAt } from './calendar.ts';

/**
 * The database of a simulation, in memory: the functions of `db/` that a poll and a closing call, with the same names,
 * fences and effects. `store.service.test.ts` repeats the calls of a simulated life on PostgreSQL and compares every answer.
 */

const hourMs = 3_600_000;

export interface StoredPlant extends PlantFacts {
  accountId: string;
  revision: number;
  lastSlotMs: number | null;
  lastPoll: BookedPoll | null;
  pausedUntilMs: number | null;
}

export interface Claim {
  nowMs: number;
  reading: Reading;
  booked: Booked;
}

export interface StoredDay extends DayRow {
  slotMs: number | null;
  claim: Claim | null;
  proposedEnergyKwh: number | null;
  totalsByTime: (number | null)[] | null;
}

export interface AlertEvent {
  atMs: number;
  from: 'NEW' | 'ACKED' | null;
  to: AlertState;
  severity: AlertSeverity;
}

export interface Notification {
  kind: 'RAISED' | 'ESCALATED' | 'REMINDER' | 'RECOVERED';
  severity: AlertSeverity;
  createdAtMs: number;
  notBeforeMs: number;
  droppedAtMs: number | null;
}

export interface StoredAlert extends Omit<ActiveAlert, 'state' | 'announcedNotBeforeMs'> {
  plantId: string;
  state: AlertState;
  resolvedAtMs: number | null;
  events: AlertEvent[];
  notifications: Notification[];
}

/** A row of the ledger. */
export type PollRow = Omit<PollLogArgs, 'requestedAtMs' | 'requestId'> & {
  slotsMissed: number | null;
};

export interface Period {
  fromMs: number;
  toMs: number | null;
  intervalMs: number;
  phaseMs: number;
  reason: IntegrationStatus;
}

export interface DayRevision {
  date: LocalDate;
  oldKwh: number | null;
  newKwh: number;
  source: 'BACKFILL' | 'CLOSING' | 'OPERATOR';
  atMs: number;
}

export type Fence =
  | { kind: 'SLOT'; slotMs: number; poll: BookedPoll }
  | { kind: 'REVISION'; revision: number };

/** The rows of one plant. */
interface Book {
  plant: StoredPlant;
  days: Map<LocalDate, StoredDay>;
  gaps: Map<LocalDate, number>;
  alerts: StoredAlert[];
  polls: Map<number, PollRow>;
  closings: Map<number, PollRow>;
  periods: Period[];
  revisions: DayRevision[];
  newestSlotMs: number | null;
}

export class Store {
  readonly #books = new Map<string, Book>();
  #alertIds = 0;
  credentialsVersion = 1;

  addPlant(plant: StoredPlant): void {
    this.#books.set(plant.plantId, {
      plant: { ...plant },
      days: new Map(),
      gaps: new Map(),
      alerts: [],
      polls: new Map(),
      closings: new Map(),
      periods: [],
      revisions: [],
      newestSlotMs: null,
    });
  }

  // Reads

  findPlant(plantId: string): StoredPlant {
    return this.#book(plantId).plant;
  }

  plantIds(): string[] {
    return [...this.#books.keys()];
  }

  readFetchBefore(
    plantId: string,
    slotMs: number,
  ): { plant: StoredPlant; claim: Claim | null; oldestVendorAlertMs: number | null } {
    const { plant, days, alerts } = this.#book(plantId);
    let claim: Claim | null = null;
    let claimDate = '';
    for (const day of days.values()) {
      if (day.slotMs === slotMs && day.date > claimDate) [claim, claimDate] = [day.claim, day.date];
    }
    let oldestVendorAlertMs: number | null = null;
    for (const { state, type, startedAtMs } of alerts) {
      if (state !== 'RESOLVED' && type === 'MOCK_FAULT')
        oldestVendorAlertMs = Math.min(oldestVendorAlertMs ?? startedAtMs, startedAtMs);
    }
    return { plant, claim, oldestVendorAlertMs };
  }

  readDayBefore(plantId: string, nowMs: number): DayBefore {
    const { plant, gaps } = this.#book(plantId);
    return {
      plant: factsOf(plant),
      days: this.#daysAround(plantId, nowMs),
      askedInVain: [...gaps.keys()],
    };
  }

  readAlertsBefore(
    plantId: string,
    nowMs: number,
    measuredAtMs: number,
    sinceMs: number,
  ): AlertsBefore {
    const { plant, alerts } = this.#book(plantId);
    const active: ActiveAlert[] = [];
    const ended: EndedAlert[] = [];
    const endedFromMs = Math.min(nowMs - 6 * hourMs, sinceMs);
    for (const alert of alerts) {
      if (alert.state !== 'RESOLVED') active.push(activeOf(alert));
      else if (
        (alert.resolvedAtMs ?? 0) > endedFromMs ||
        (alert.lastNotifiedAtMs ?? 0) > nowMs - 6 * hourMs
      )
        ended.push(endedOf(alert));
    }
    return {
      plant: factsOf(plant),
      days: this.#daysAround(plantId, nowMs),
      daysAtTime: this.daysAtTime(plantId, nowMs, measuredAtMs),
      active,
      // Incidents need many accounts; a simulation has one.
      incident: null,
      hasCredentials: true,
      ended,
    };
  }

  findDays(plantId: string, from: LocalDate, to: LocalDate): StoredDay[] {
    return [...this.#book(plantId).days.values()]
      .filter(({ date }) => date >= from && date <= to)
      .toSorted((a, b) => (a.date < b.date ? -1 : 1));
  }

  findDay(plantId: string, date: LocalDate): StoredDay | undefined {
    return this.#book(plantId).days.get(date);
  }

  findClaims(
    plantId: string,
    span: { fromMs: number; toMs: number },
  ): { slotMs: number; claim: Claim }[] {
    const found: { slotMs: number; claim: Claim }[] = [];
    for (const { slotMs, claim } of this.#book(plantId).days.values()) {
      if (slotMs !== null && claim !== null && slotMs >= span.fromMs && slotMs <= span.toMs)
        found.push({ slotMs, claim });
    }
    return found;
  }

  findLastSlot(plantId: string): number | null {
    return this.#book(plantId).newestSlotMs;
  }

  hasDailyLog(plantId: string, atMs: number): boolean {
    return this.#book(plantId).closings.has(atMs);
  }

  findBookedTotals(
    plantId: string,
    date: LocalDate,
    fromMs: number,
    toMs: number,
  ): { atMs: number; totalKwh: number }[] {
    return this.polls(plantId).flatMap(({ slotMs, booked }) =>
      booked?.bookedDate !== date ||
      booked.todayEnergyKwh === null ||
      slotMs < fromMs ||
      slotMs >= toMs
        ? []
        : [{ atMs: booked.sourceTimeMs ?? slotMs, totalKwh: booked.todayEnergyKwh }],
    );
  }

  findOpenPeriod(plantId: string): Period | undefined {
    return this.#book(plantId).periods.find(({ toMs }) => toMs === null);
  }

  wasActiveBetween(plantId: string, fromMs: number, toMs: number): boolean {
    return this.#book(plantId).periods.some(
      (period) =>
        period.reason === 'ACTIVE' &&
        period.fromMs < toMs &&
        (period.toMs === null || period.toMs > fromMs),
    );
  }

  // Reads of the checks

  alerts(plantId: string): readonly StoredAlert[] {
    return this.#book(plantId).alerts;
  }

  findPoll(plantId: string, slotMs: number): PollRow | undefined {
    return this.#book(plantId).polls.get(slotMs);
  }

  polls(plantId: string): PollRow[] {
    return inOrder(this.#book(plantId).polls);
  }

  closings(plantId: string): PollRow[] {
    return inOrder(this.#book(plantId).closings);
  }

  periods(plantId: string): readonly Period[] {
    return this.#book(plantId).periods;
  }

  revisions(plantId: string): readonly DayRevision[] {
    return this.#book(plantId).revisions;
  }

  gapTries(plantId: string): ReadonlyMap<LocalDate, number> {
    return this.#book(plantId).gaps;
  }

  // Writes of a poll and a closing

  /** @returns false where a slot as new as this one has written the row. */
  writeLiveDay(plantId: string, slotMs: number, row: DayRow, claim: Claim): boolean {
    const { days } = this.#book(plantId);
    const before = days.get(row.date);
    if (before !== undefined && before.slotMs !== null && before.slotMs >= slotMs) return false;
    const kept = before ?? { proposedEnergyKwh: null, totalsByTime: null };
    days.set(row.date, { ...kept, ...row, slotMs, claim });
    return true;
  }

  /** @returns false where a newer slot or another revision refuses it. */
  writePlantChanges(
    plantId: string,
    changes: PlantChanges,
    fence: Fence,
    seenRevision: number | null,
  ): boolean {
    const { plant } = this.#book(plantId);
    if (fence.kind === 'SLOT' && plant.lastSlotMs !== null && plant.lastSlotMs >= fence.slotMs)
      return false;
    if (fence.kind === 'REVISION' && plant.revision !== fence.revision) return false;
    if (seenRevision !== null && plant.revision !== seenRevision) return false;
    Object.assign(plant, changes);
    if (fence.kind === 'SLOT') {
      plant.lastSlotMs = fence.slotMs;
      plant.lastPoll = fence.poll;
    }
    return true;
  }

  applyAlertChanges(plantId: string, changes: readonly AlertChange[], nowMs: number): void {
    for (const change of changes) this.#applyAlertChange(plantId, change, nowMs);
  }

  pauseAccount(accountId: string): string[] {
    const paused: string[] = [];
    for (const { plant } of this.#books.values()) {
      if (plant.accountId !== accountId || plant.integrationStatus !== 'ACTIVE') continue;
      plant.integrationStatus = 'PAUSED_AUTH_ERROR';
      plant.revision += 1;
      paused.push(plant.plantId);
    }
    return paused;
  }

  insertPollLog(row: PollRow): boolean {
    const book = this.#book(row.plantId);
    const rows = row.jobType === 'POLL' ? book.polls : book.closings;
    if (rows.has(row.slotMs)) return false;
    rows.set(row.slotMs, row);
    if (row.jobType === 'POLL')
      book.newestSlotMs = Math.max(book.newestSlotMs ?? row.slotMs, row.slotMs);
    return true;
  }

  insertMissed(
    plantId: string,
    missed: {
      intervalMs: number;
      rows: { fromMs: number; toMs: number } | null;
      overflow: { slotMs: number; slots: number } | null;
    },
  ): void {
    const { intervalMs, rows, overflow } = missed;
    if (overflow !== null) this.insertPollLog(missedRow(plantId, overflow.slotMs, overflow.slots));
    if (rows === null) return;
    for (let slotMs = rows.fromMs; slotMs <= rows.toMs; slotMs += intervalMs)
      this.insertPollLog(missedRow(plantId, slotMs, 1));
  }

  writeSeriesDay(
    plantId: string,
    row: DayRow,
    change: Pick<DayRevision, 'source' | 'atMs'> & { oldKwh: number | null },
  ): void {
    const book = this.#book(plantId);
    const before = book.days.get(row.date);
    const { todayEnergyKwh, quality, complete } = row;
    book.days.set(
      row.date,
      before === undefined
        ? { ...row, slotMs: null, claim: null, proposedEnergyKwh: null, totalsByTime: null }
        : { ...before, todayEnergyKwh, quality, complete, proposedEnergyKwh: null },
    );
    if (change.oldKwh !== todayEnergyKwh)
      book.revisions.push({ date: row.date, newKwh: todayEnergyKwh, ...change });
    book.gaps.delete(row.date);
  }

  writeProposal(plantId: string, date: LocalDate, proposedKwh: number | null): void {
    const day = this.#book(plantId).days.get(date);
    if (day !== undefined) day.proposedEnergyKwh = proposedKwh;
  }

  recordGap(plantId: string, date: LocalDate): void {
    const { gaps } = this.#book(plantId);
    gaps.set(date, (gaps.get(date) ?? 0) + 1);
  }

  forgetGaps(plantId: string): void {
    this.#book(plantId).gaps.clear();
  }

  writeTotalsByTime(plantId: string, date: LocalDate, totals: (number | null)[]): void {
    const day = this.#book(plantId).days.get(date);
    if (day !== undefined) day.totalsByTime = totals;
  }

  /** Closes the open period at `closeAtMs` and opens another; a period that never began leaves no row. */
  replacePeriod(plantId: string, closeAtMs: number, period: Omit<Period, 'toMs'>): void {
    const book = this.#book(plantId);
    book.periods = book.periods.filter(({ fromMs, toMs }) => toMs !== null || fromMs < closeAtMs);
    for (const open of book.periods) open.toMs ??= closeAtMs;
    book.periods.push({ ...period, toMs: null });
  }

  // Decisions of people

  pausePlant(plantId: string, untilMs: number | null): void {
    this.#decide(plantId, (plant) => {
      if (plant.integrationStatus === 'PENDING_DOCS') return;
      plant.integrationStatus = 'DISABLED_BY_OPERATOR';
      plant.pausedUntilMs = untilMs;
    });
  }

  resumePlant(plantId: string, atMs: number): void {
    this.#decide(plantId, (plant) => {
      if (!['DISABLED_BY_OPERATOR', 'PAUSED_AUTH_ERROR'].includes(plant.integrationStatus)) return;
      plant.integrationStatus = 'ACTIVE';
      plant.activatedAtMs = atMs;
      plant.pausedUntilMs = null;
    });
  }

  setInterval(plantId: string, intervalS: number): void {
    this.#decide(plantId, (plant) => (plant.pollIntervalS = intervalS));
  }

  silencePlant(plantId: string, untilMs: number): void {
    this.#decide(plantId, (plant) => (plant.alertsSilencedUntilMs = untilMs));
  }

  /** New credentials raise every revision of the account and lift the pause of those that were refused. */
  replaceCredentials(accountId: string, version: number, atMs: number): void {
    this.credentialsVersion = version;
    for (const { plant } of this.#books.values()) {
      if (plant.accountId !== accountId) continue;
      plant.revision += 1;
      if (plant.integrationStatus === 'PAUSED_AUTH_ERROR') this.resumePlant(plant.plantId, atMs);
    }
  }

  ackAlert(plantId: string, alertId: string, untilMs: number | null, atMs: number): void {
    const alert = this.#active(plantId, alertId);
    if (alert.state === 'NEW')
      alert.events.push({ atMs, from: 'NEW', to: 'ACKED', severity: alert.severity });
    alert.state = 'ACKED';
    alert.ackedUntilMs = untilMs;
    this.#book(plantId).plant.revision += 1;
  }

  #decide(plantId: string, change: (plant: StoredPlant) => unknown): void {
    const { plant } = this.#book(plantId);
    const before = { ...plant };
    change(plant);
    if (!isDeepStrictEqual(before, plant)) plant.revision += 1;
  }

  #applyAlertChange(plantId: string, change: AlertChange, nowMs: number): void {
    if (change.kind === 'RAISE' || change.kind === 'RECORD_ENDED') {
      const endedAtMs = change.kind === 'RECORD_ENDED' ? change.endedAtMs : null;
      this.#insertAlert(plantId, change, endedAtMs, nowMs);
      return;
    }
    const alert = this.#active(plantId, change.id);
    const { state, severity } = alert;
    switch (change.kind) {
      case 'SEEN':
        alert.lastSeenAtMs = nowMs;
        return;
      case 'RISE':
        if (state === 'RESOLVED') throw new Error(`alert ${alert.id} rises after its end`);
        Object.assign(alert, {
          severity: change.severity,
          state: 'NEW',
          ackedUntilMs: null,
          lastSeenAtMs: nowMs,
        });
        alert.events.push({ atMs: nowMs, from: state, to: 'NEW', severity: change.severity });
        if (change.announce !== null) dropPending(alert, nowMs);
        announce(alert, change.severity, change.announce, nowMs);
        return;
      case 'ACK_ENDED':
        Object.assign(alert, { state: 'NEW', ackedUntilMs: null });
        alert.events.push({ atMs: nowMs, from: 'ACKED', to: 'NEW', severity });
        return;
      case 'REMIND':
        announce(alert, severity, change.announce, nowMs);
        return;
      case 'RESOLVE':
        if (state === 'RESOLVED') throw new Error(`alert ${alert.id} ends twice`);
        Object.assign(alert, {
          state: 'RESOLVED',
          resolvedAtMs: Math.max(alert.startedAtMs, change.atMs),
          ackedUntilMs: null,
        });
        alert.events.push({ atMs: nowMs, from: state, to: 'RESOLVED', severity });
        if (change.dropPending) {
          dropPending(alert, nowMs);
          if ((alert.lastNotifiedAtMs ?? 0) > nowMs) alert.lastNotifiedAtMs = null;
        }
        announce(alert, severity, change.announce, nowMs);
    }
  }

  #insertAlert(
    plantId: string,
    change: Extract<AlertChange, { kind: 'RAISE' | 'RECORD_ENDED' }>,
    endedAtMs: number | null,
    nowMs: number,
  ): void {
    const { alert } = change;
    const { alerts } = this.#book(plantId);
    const key = keyOf(alert);
    if (
      endedAtMs === null &&
      alerts.some((other) => other.state !== 'RESOLVED' && keyOf(other) === key)
    )
      throw new Error(`a second active alert of ${key}`);
    if (endedAtMs !== null && endedAtMs < alert.startedAtMs)
      throw new Error(`an alert of ${key} ends before it began`);
    const { type, vendorAlarmCode, deviceSn, severity } = alert;
    const { startedAtMs, lastNotifiedAtMs, muted } = alert;
    this.#alertIds += 1;
    const inserted: StoredAlert = {
      id: String(this.#alertIds),
      plantId,
      type,
      vendorAlarmCode,
      deviceSn,
      severity,
      state: endedAtMs === null ? 'NEW' : 'RESOLVED',
      startedAtMs,
      lastSeenAtMs: nowMs,
      resolvedAtMs: endedAtMs,
      ackedUntilMs: null,
      lastNotifiedAtMs,
      muted,
      events: [{ atMs: nowMs, from: null, to: 'NEW', severity }],
      notifications: [],
    };
    if (endedAtMs !== null)
      inserted.events.push({ atMs: nowMs, from: 'NEW', to: 'RESOLVED', severity });
    if (change.kind === 'RAISE') announce(inserted, severity, change.announce, nowMs);
    alerts.push(inserted);
  }

  #active(plantId: string, alertId: string): StoredAlert {
    const alert = this.#book(plantId).alerts.find(({ id }) => id === alertId);
    if (alert === undefined || alert.state === 'RESOLVED')
      throw new Error(`the rules changed alert ${alertId}, which is not an active one`);
    return alert;
  }

  /** The rows between 9 days before and a day after the UTC date. */
  #daysAround(plantId: string, nowMs: number): DayRow[] {
    const utcDate = dateAt(nowMs, 'UTC');
    const { days } = this.#book(plantId);
    const found: DayRow[] = [];
    for (let age = -9; age <= 1; age += 1) {
      const day = days.get(dateAfter(utcDate, age));
      if (day !== undefined) found.push(rowOf(day));
    }
    return found;
  }

  daysAtTime(plantId: string, nowMs: number, measuredAtMs: number): DayAtTime[] {
    const { plant, days } = this.#book(plantId);
    const today = dateAt(nowMs, plant.timezone);
    const marks =
      (wallMinutesAt(measuredAtMs, plant.timezone) +
        (((measuredAtMs % 60_000) + 60_000) % 60_000) / 60_000) /
      10;
    const mark = Math.floor(marks);
    const found: DayAtTime[] = [];
    for (let age = 7; age >= 1; age -= 1) {
      const day = days.get(dateAfter(today, -age));
      if (day === undefined || !day.complete) continue;
      const [from, to] = [day.totalsByTime?.[mark] ?? null, day.totalsByTime?.[mark + 1] ?? null];
      const totalAtTimeKwh =
        from === null || to === null ? null : from + (to - from) * (marks - mark);
      found.push({ date: day.date, totalAtTimeKwh });
    }
    return found;
  }

  #book(plantId: string): Book {
    const book = this.#books.get(plantId);
    if (book === undefined) throw new Error(`no plant ${plantId}`);
    return book;
  }
}

function inOrder(rows: ReadonlyMap<number, PollRow>): PollRow[] {
  return [...rows.values()].toSorted((a, b) => a.slotMs - b.slotMs);
}

function announce(
  alert: StoredAlert,
  severity: AlertSeverity,
  announcement: Pick<Notification, 'kind' | 'notBeforeMs'> | null,
  nowMs: number,
): void {
  if (announcement === null) return;
  const { kind, notBeforeMs } = announcement;
  if (alert.notifications.some((one) => one.kind === kind && one.createdAtMs === nowMs)) return;
  alert.notifications.push({
    kind,
    severity,
    createdAtMs: nowMs,
    notBeforeMs,
    droppedAtMs: null,
  });
  if (kind !== 'RECOVERED') alert.lastNotifiedAtMs = notBeforeMs;
}

function dropPending(alert: StoredAlert, nowMs: number): void {
  for (const notification of alert.notifications) {
    if (notification.notBeforeMs > nowMs) notification.droppedAtMs ??= nowMs;
  }
}

function missedRow(plantId: string, slotMs: number, slotsMissed: number): PollRow {
  return {
    plantId,
    jobType: 'POLL',
    slotMs,
    trigger: 'SCHEDULE',
    outcome: 'MISSED',
    startedAtMs: null,
    durationMs: null,
    attempts: 0,
    slotsMissed,
    errorType: null,
    error: null,
    booked: null,
  };
}

function activeOf(alert: StoredAlert): ActiveAlert {
  const { plantId: _p, resolvedAtMs: _r, events: _e, notifications, state, ...rest } = alert;
  if (state === 'RESOLVED') throw new Error(`alert ${alert.id} is not active`);
  const told = notifications.filter(
    ({ kind, droppedAtMs }) => kind !== 'RECOVERED' && droppedAtMs === null,
  );
  const announcedNotBeforeMs =
    told.length === 0 ? null : Math.min(...told.map(({ notBeforeMs }) => notBeforeMs));
  return { ...rest, state, announcedNotBeforeMs };
}

function endedOf(alert: StoredAlert): EndedAlert {
  const { type, vendorAlarmCode, deviceSn, severity, startedAtMs, lastNotifiedAtMs } = alert;
  const resolvedAtMs = alert.resolvedAtMs ?? 0;
  return { type, vendorAlarmCode, deviceSn, severity, startedAtMs, resolvedAtMs, lastNotifiedAtMs };
}

function factsOf(plant: StoredPlant): PlantFacts {
  const {
    accountId: _a,
    revision: _r,
    lastSlotMs: _s,
    lastPoll: _p,
    pausedUntilMs: _u,
    ...facts
  } = plant;
  return facts;
}

function rowOf(day: StoredDay): DayRow {
  const { slotMs: _s, claim: _c, proposedEnergyKwh: _p, totalsByTime: _t, ...row } = day;
  return row;
}

export function keyOf(alert: Pick<ActiveAlert, 'type' | 'vendorAlarmCode' | 'deviceSn'>): string {
  return `${alert.type}/${alert.vendorAlarmCode ?? ''}/${alert.deviceSn ?? ''}`;
}

/** The ledger's row of a poll as it was booked. */
export function bookedRow(
  plantId: string,
  slotMs: number,
  trigger: Trigger,
  poll: BookedPoll,
): PollRow {
  return { plantId, jobType: 'POLL', slotMs, trigger, slotsMissed: null, ...poll };
}
