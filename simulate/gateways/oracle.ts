import { firstSlotFrom } from '../grid.ts';
import type { Device, PointKey } from './device.ts';
import { dayMs, hourMs, isWithin, minuteMs, type SiteLife } from './life.ts';
import type { Hosts, SeenPoll } from './site.ts';
import type { BatchRow, ReadingRow, SiteStore, StoredGateway, StoreWatch } from './store.ts';

/**
 * The judge of a simulated site. It holds the rules of gateways a second time, plainer, from what is required: it imports
 * nothing of `domain/`, and its slots are those of `simulate/grid.ts`.
 */

/** An invariant does not hold. */
export class SiteViolation extends Error {
  readonly gatewayId: string;
  readonly trace: readonly string[];

  constructor(gatewayId: string, message: string, trace: readonly string[]) {
    super(message);
    this.name = 'SiteViolation';
    this.gatewayId = gatewayId;
    this.trace = trace;
  }
}

/** A change of a period reaches the walker within this, and rows are stored within this. */
const hearMs = 2_000;
/** A row may wait so long for its statement, its evaluation and the sweep of ten seconds. */
const settleMs = 20_000;
/** A walk begins to poll so long after the lease was taken. */
const beginMs = 3_000;
/** Slots, in intervals, and 5 s more. */
const graceMs = 5_000;
/** Our network is counted over this, and speaks for so long after it is well. */
const networkMs = 10 * minuteMs;
const traceMax = 12;

/** What the judge knows of a gateway from the rows that were stored. */
interface Known {
  seenMs: number | null;
  /** The newest 20 slot polls that were answered: O, P or F. */
  polls: string;
  /** Failures in a row that count, and when the first began. */
  failures: number;
  failingSinceMs: number | null;
  /** Begin of the newest poll of any kind. */
  polledMs: number | null;
  /** Points that the newest answer refused. */
  refused: Set<string>;
  status: string;
  /** Since it was switched off: probes that failed, good ones in a row, and when the next is due. */
  off: { atMs: number; failed: number; good: number; nextMs: number } | null;
  trace: string[];
}

export interface Judged {
  site: SiteLife;
  store: SiteStore;
  hosts: Hosts;
  devices: ReadonlyMap<string, Device>;
  limits: { failures: number; overMs: number };
}

export class Judge implements StoreWatch {
  readonly #of: Judged;
  readonly #known = new Map<string, Known>();
  /** When nobody walked: from a walker's end to the next one's first second. */
  readonly #unwalked: { fromMs: number; toMs: number }[] = [];
  #goneMs: number | null;
  /** When more than a fifth of the gateways failed together. */
  readonly #together: { fromMs: number; toMs: number }[] = [];
  #seenPolls = 0;
  #violation: SiteViolation | null = null;

  constructor(of: Judged) {
    this.#of = of;
    this.#goneMs = of.site.fromMs;
    for (const { id } of of.site.gateways)
      this.#known.set(id, {
        seenMs: null,
        polls: '',
        failures: 0,
        failingSinceMs: null,
        polledMs: null,
        refused: new Set(),
        status: 'WAITING',
        off: null,
        trace: [],
      });
  }

  // What happens to walkers

  gone(atMs: number): void {
    this.#goneMs ??= atMs;
  }

  lost(atMs: number): void {
    this.#unwalked.push({ fromMs: atMs - hearMs, toMs: atMs + hearMs });
  }

  took(atMs: number): void {
    const goneMs = this.#goneMs ?? atMs;
    const { database } = this.#of.site;
    // Rows that waited for PostgreSQL are lost with their walker, and a new one must read its gateways first.
    const before = database.find(({ fromMs, toMs }) => goneMs >= fromMs && goneMs < toMs + hearMs);
    const after = database.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
    this.#unwalked.push({
      fromMs: (before?.fromMs ?? goneMs) - 1_000,
      toMs: (after?.toMs ?? atMs) + beginMs,
    });
    this.#goneMs = null;
  }

  // Rows

  onBatch(rows: readonly BatchRow[], nowMs: number): void {
    const newest = new Map(rows.map((row) => [row.gatewayId, row]));
    for (const row of rows) {
      const known = this.#knownOf(row.gatewayId);
      if (row.reading !== null) this.#takeRow(row.gatewayId, known, row.reading);
      if (row.state === null || newest.get(row.gatewayId) !== row) continue;
      this.#judgeState(row.gatewayId, known, row, nowMs);
    }
  }

  /** A stored row moves what is known, by the plain rules. */
  #takeRow(id: string, known: Known, row: ReadingRow): void {
    note(known, `${iso(row.readAtMs)} ${row.trigger} ${row.outcome} ${row.reason ?? ''}`);
    if (row.outcome === 'MISSED' || row.outcome === 'SKIPPED_LOCKED') return;
    const isGood = row.outcome === 'OK' || row.outcome === 'PARTIAL';
    const measuredMs = row.measuredAtMs ?? 0;
    known.polledMs = measuredMs - (row.durationMs ?? 0);
    if (isGood) known.seenMs = measuredMs;
    if (isGood) this.#takeRefused(id, known, row);
    if (known.off !== null) this.#takeProbe(known.off, row, isGood);
    else if (isGood) {
      known.polls = `${known.polls}${row.outcome === 'OK' ? 'O' : 'P'}`.slice(-20);
      known.failures = 0;
      known.failingSinceMs = null;
    } else if (row.trigger !== 'MANUAL') {
      known.polls = `${known.polls}F`.slice(-20);
      if (row.reason === 'BACK_OFF') return;
      known.failures += 1;
      known.failingSinceMs ??= known.polledMs;
    }
  }

  #takeRefused(id: string, known: Known, { quality }: ReadingRow): void {
    const { points } = this.#gateway(id);
    for (const [index, { unitId, key }] of points.entries()) {
      const code = quality?.[index] ?? 0;
      if (code > 100) known.refused.add(`${unitId} ${key}`);
      else if (code !== 1) known.refused.delete(`${unitId} ${key}`);
    }
  }

  #takeProbe(off: NonNullable<Known['off']>, row: ReadingRow, isGood: boolean): void {
    const measuredMs = row.measuredAtMs ?? 0;
    const beganMs = measuredMs - (row.durationMs ?? 0);
    if (isGood) {
      off.good += 1;
      off.nextMs = measuredMs + 10_000;
    } else if (row.reason === 'BACK_OFF') {
      // Nobody was asked.
      if (row.trigger === 'PROBE') off.nextMs = beganMs + minuteMs;
    } else if (row.trigger === 'PROBE') {
      off.failed += 1;
      off.good = 0;
      off.nextMs = beganMs + Math.min(60, 2 ** off.failed) * minuteMs;
    }
  }

  #judgeState(id: string, known: Known, { reading, state }: BatchRow, nowMs: number): void {
    if (state === null) return;
    const gateway = this.#gateway(id);
    if (state.lastSeenAtMs !== known.seenMs)
      this.#fail(
        id,
        `last seen ${iso(state.lastSeenAtMs)}, and the newest successful read was ${iso(known.seenMs)}`,
      );
    const measuredMs = reading?.measuredAtMs ?? nowMs;
    // The walker hears of a change of the plan within a second; rows that waited for PostgreSQL carry a newer state.
    const isQuiet = gateway.periods.every(({ fromMs }) => Math.abs(fromMs - nowMs) > hearMs);
    const isPrompt = nowMs - measuredMs < 1_000 && !this.#wasDatabaseAway(nowMs);
    if (isQuiet && isPrompt) {
      const expected = [measuredMs, nowMs].map((atMs) => this.#statusAt(gateway, known, atMs));
      if (!expected.includes(state.status))
        this.#fail(id, `status ${state.status}, expected ${expected.join(' or ')}`);
    }
    known.status = state.status;
  }

  /** The first that holds. */
  #statusAt(gateway: StoredGateway, known: Known, atMs: number): string {
    const period = gateway.periods.at(-1);
    if (period === undefined || period.reason === 'PAUSED') return 'PAUSED';
    if (period.reason === 'DISABLED') return 'DISABLED';
    const { intervalMs, fromMs } = period;
    const { seenMs, polls, refused, status } = known;
    const wasIdle = status === 'PAUSED' || status === 'DISABLED' || status === 'WAITING';
    const isOld = seenMs !== null && seenMs < fromMs && atMs - seenMs > 2 * intervalMs + graceMs;
    const isWaiting = seenMs === null || (wasIdle && isOld);
    if (isWaiting && atMs - fromMs <= 5 * intervalMs) return 'WAITING';
    // Nobody polls: the status stays.
    const isStale = atMs - Math.max(known.polledMs ?? fromMs, fromMs) > 2 * intervalMs + graceMs;
    if (isStale) return status === 'PAUSED' || status === 'DISABLED' ? 'WAITING' : status;
    const unseenMs = atMs - (seenMs ?? fromMs);
    const failedInARow = polls.length - polls.trimEnd().replace(/F+$/, '').length;
    if (unseenMs > 5 * intervalMs + graceMs && failedInARow >= 3) return 'OFFLINE';
    const failed = polls.split('F').length - 1;
    const isDegraded = unseenMs > 2 * intervalMs + graceMs || failed > 20 * 0.2 || refused.size > 0;
    return isDegraded ? 'DEGRADED' : 'ONLINE';
  }

  // Off and on

  onChange({ life }: StoredGateway, kind: 'DISABLE' | 'RETURN', nowMs: number): void {
    const known = this.#knownOf(life.id);
    note(known, `${iso(nowMs)} ${kind}`);
    if (kind === 'DISABLE') {
      if (!this.#mustBeOff(known))
        this.#fail(
          life.id,
          `was switched off after ${known.failures} failures since ${iso(known.failingSinceMs)}`,
        );
      if (this.#failedTogether(nowMs - networkMs, nowMs))
        this.#fail(life.id, 'was switched off although our network had failed');
      known.off = { atMs: nowMs, failed: 0, good: 0, nextMs: nowMs + minuteMs };
    } else {
      if ((known.off?.good ?? 0) < 2)
        this.#fail(life.id, `came back after ${known.off?.good ?? 0} good probes`);
      this.#forget(known);
    }
  }

  #mustBeOff({ failures, failingSinceMs, polledMs }: Known): boolean {
    const { limits } = this.#of;
    if (failingSinceMs === null || polledMs === null) return false;
    return failures >= limits.failures && polledMs - failingSinceMs >= limits.overMs;
  }

  #forget(known: Known): void {
    known.off = null;
    known.polls = '';
    known.failures = 0;
    known.failingSinceMs = null;
  }

  // Between the polls

  /** Looks at everything, once a minute. */
  look(nowMs: number): void {
    if (this.#violation !== null) throw this.#violation;
    this.#judgePolls();
    const failing = [...this.#known.values()].filter(
      ({ polls, polledMs, off, status }) =>
        off === null &&
        status !== 'PAUSED' &&
        polls.endsWith('FF') &&
        (polledMs ?? 0) > nowMs - networkMs,
    );
    // Six gateways: a fifth is less than the five that it takes at least.
    if (failing.length >= 5) this.#together.push({ fromMs: nowMs - minuteMs, toMs: nowMs });
    const isCalm = !this.#wasUnwalked(nowMs - 2 * minuteMs, nowMs) && !this.#wasDatabaseAway(nowMs);
    for (const gateway of this.#of.store.gateways.values()) {
      const known = this.#knownOf(gateway.life.id);
      const period = gateway.periods.at(-1);
      const isSettled = period !== undefined && nowMs - period.fromMs > 2 * minuteMs;
      if (isCalm && isSettled) this.#judgeNow(gateway, known, nowMs);
    }
  }

  #judgeNow({ life, state, alerts, periods }: StoredGateway, known: Known, nowMs: number): void {
    const reason = periods.at(-1)?.reason;
    const isOpen = (type: string): boolean =>
      alerts.some((alert) => alert.isOpen && alert.type === type);
    if (alerts.filter((one) => one.isOpen && one.type === 'GATEWAY_OFFLINE').length > 1)
      this.#fail(life.id, 'has two open alerts GATEWAY_OFFLINE');
    const sinceMs = nowMs - state.statusSinceMs;
    if (reason === 'ACTIVE' && sinceMs > settleMs) {
      if (state.status === 'OFFLINE' && !isOpen('GATEWAY_OFFLINE'))
        this.#fail(life.id, `is OFFLINE since ${iso(state.statusSinceMs)} without an alert`);
      if (state.status === 'ONLINE' && (isOpen('GATEWAY_OFFLINE') || isOpen('GATEWAY_DISABLED')))
        this.#fail(life.id, 'is ONLINE, and an alert says that it is not');
    }
    if ((reason === 'DISABLED') !== (known.off !== null) && reason !== 'PAUSED')
      this.#fail(life.id, `its period is ${reason}, and the judge knows otherwise`);
    if (reason === 'DISABLED') this.#judgeOff(life.id, known, nowMs, isOpen('GATEWAY_DISABLED'));
    const isLate =
      this.#mustBeOff(known) && (known.polledMs ?? nowMs) < nowMs - minuteMs && reason === 'ACTIVE';
    if (isLate && !this.#failedTogether(nowMs - networkMs - 6 * minuteMs, nowMs))
      this.#fail(life.id, `failed ${known.failures} times, and is not switched off`);
  }

  #judgeOff(id: string, { off }: Known, nowMs: number, hasAlert: boolean): void {
    if (off === null) return;
    if (!hasAlert && nowMs - off.atMs > settleMs) this.#fail(id, 'is DISABLED without an alert');
    if (off.good >= 2) this.#fail(id, 'answered two probes in a row and is still DISABLED');
    if (nowMs > off.nextMs + minuteMs)
      this.#fail(id, `was to be probed at ${iso(off.nextMs)}, and was not`);
  }

  /** Polls of one gateway, and of one socket, never overlap. */
  #judgePolls(): void {
    const { polls } = this.#of.hosts;
    const open = new Map<string, SeenPoll>();
    const from = Math.max(0, this.#seenPolls - 50);
    for (const poll of polls.slice(from)) {
      const host = this.#gateway(poll.gatewayId).life.host;
      const before = open.get(host);
      const isOpen =
        before !== undefined &&
        (before.toMs === null || before.toMs > poll.fromMs) &&
        !before.isCut;
      // What a process sent before it was stopped or killed is on its way.
      const isLeft = before?.process.isKilled === true || before?.process.wasStopped === true;
      if (isOpen && (before.process === poll.process || !isLeft))
        this.#fail(
          poll.gatewayId,
          `is polled at ${iso(poll.fromMs)} while ${before.gatewayId} still is, since ${iso(before.fromMs)}`,
        );
      open.set(host, poll);
    }
    this.#seenPolls = polls.length;
  }

  // The end

  atTheEnd(endMs: number): void {
    for (const gateway of this.#of.store.gateways.values()) {
      const rows = [...gateway.rows.values()].toSorted((a, b) => a.readAtMs - b.readAtMs);
      this.#judgeSlots(gateway, rows, endMs);
      this.#judgeRowsAgainstPolls(gateway, rows);
      for (const unit of [1, 2] as const)
        for (const key of ['energy_kwh', 'daily_kwh'] as const)
          this.#judgeCounter(gateway, rows, unit, key);
    }
  }

  /** Each due slot has one row, or is counted in one row of missed slots. */
  #judgeSlots(gateway: StoredGateway, rows: readonly ReadingRow[], endMs: number): void {
    const { id } = gateway.life;
    const covered = new Map<number, ReadingRow>();
    for (const row of rows) {
      const period = gateway.periods.find(
        ({ fromMs, toMs, reason }) =>
          reason === 'ACTIVE' &&
          row.readAtMs >= fromMs &&
          (toMs === null || row.readAtMs < toMs + hearMs),
      );
      const isOfSlot = row.trigger === 'SCHEDULE' || row.trigger === 'CATCH_UP';
      if (!isOfSlot) continue;
      if (period === undefined)
        this.#fail(id, `has a row at ${iso(row.readAtMs)}, where it was not due`);
      const count = row.outcome === 'MISSED' ? row.slotsMissed : 1;
      const lastMs = row.readAtMs + (count - 1) * period.intervalMs;
      if (Math.floor(row.readAtMs / dayMs) !== Math.floor(lastMs / dayMs))
        this.#fail(id, `the missed slots from ${iso(row.readAtMs)} reach into the next day`);
      for (let n = 0; n < count; n += 1) {
        const slotMs = row.readAtMs + n * period.intervalMs;
        if (covered.has(slotMs)) this.#fail(id, `two rows stand for the slot ${iso(slotMs)}`);
        covered.set(slotMs, row);
      }
    }
    for (const { fromMs, toMs, intervalMs, reason } of gateway.periods) {
      if (reason !== 'ACTIVE') continue;
      // What fell due in the last minute may still wait for its row.
      const untilMs = Math.min(toMs ?? Infinity, endMs - minuteMs);
      for (let at = firstSlotFrom(id, intervalMs, fromMs); at < untilMs; at += intervalMs) {
        const row = covered.get(at);
        if (row === undefined) {
          if (!this.#wasUnwalked(at, endMs) || at < endMs - hourMs)
            this.#fail(id, `the slot ${iso(at)} has no row`);
        } else this.#judgeSlot(gateway, at, row, intervalMs);
      }
    }
  }

  #judgeSlot(gateway: StoredGateway, slotMs: number, row: ReadingRow, intervalMs: number): void {
    const { id } = gateway.life;
    if (row.outcome !== 'MISSED') {
      if (row.lateMs === null || row.lateMs < 0)
        this.#fail(id, `the slot ${iso(slotMs)} was polled before it was due`);
      const tookMs = row.lateMs + (row.durationMs ?? 0);
      if (tookMs > intervalMs)
        this.#fail(id, `the poll of ${iso(slotMs)} reached beyond the next slot`);
      return;
    }
    if (this.#isExcused(gateway, slotMs, intervalMs)) return;
    this.#fail(id, `the slot ${iso(slotMs)} was missed (${row.reason}) without a reason`);
  }

  /** A slot may be missed where nobody walked, rows could not be stored, or its socket was busy with a poll. */
  #isExcused({ life, periods }: StoredGateway, slotMs: number, intervalMs: number): boolean {
    if (this.#wasUnwalked(slotMs, slotMs + intervalMs)) return true;
    if (periods.some(({ fromMs }) => Math.abs(fromMs - slotMs) <= Math.max(hearMs, intervalMs)))
      return true;
    const neighbours = this.#of.site.gateways.filter(({ host }) => host === life.host);
    if (neighbours.length === 1 && intervalMs > 12_000) return false;
    const faults = this.#of.site.hosts.find(({ host }) => host === life.host)?.faults ?? [];
    const isSlow = faults.some(
      ({ kind, fromMs, toMs }) =>
        kind !== 'DEAD' && slotMs >= fromMs - minuteMs && slotMs < toMs + minuteMs,
    );
    return isSlow;
  }

  /** A row that says that the device was asked is one poll of the device, and the other way round. */
  #judgeRowsAgainstPolls({ life }: StoredGateway, rows: readonly ReadingRow[]): void {
    const rowOf = new Map<number, ReadingRow>();
    for (const row of rows) {
      if (row.measuredAtMs === null) continue;
      const beganMs = row.measuredAtMs - (row.durationMs ?? 0);
      if (rowOf.has(beganMs)) this.#fail(life.id, `two rows tell of the poll at ${iso(beganMs)}`);
      rowOf.set(beganMs, row);
    }
    const seen = this.#of.hosts.polls.filter(({ gatewayId }) => gatewayId === life.id);
    const begun = new Set(seen.map(({ fromMs }) => fromMs));
    for (const [beganMs, row] of rowOf)
      if (!begun.has(beganMs))
        this.#fail(life.id, `the row ${iso(row.readAtMs)} tells of a poll that nobody saw`);
    for (const { fromMs, toMs, isCut } of seen) {
      if (isCut || toMs === null || rowOf.has(fromMs)) continue;
      // What a walker could not store any more was polled in vain.
      const isLost = this.#wasUnwalked(fromMs - minuteMs, toMs + minuteMs);
      if (!isLost && toMs < this.#of.site.toMs - minuteMs && !this.#wasAwayLong(fromMs))
        this.#fail(life.id, `the poll at ${iso(fromMs)} has no row: the device was asked in vain`);
    }
  }

  /** GOOD totals are true, and what they rose is what the device produced, but for what it forgot itself. */
  #judgeCounter(
    gateway: StoredGateway,
    rows: readonly ReadingRow[],
    unit: 1 | 2,
    key: PointKey & ('energy_kwh' | 'daily_kwh'),
  ): void {
    const { id } = gateway.life;
    const device = this.#of.devices.get(id);
    const index = gateway.points.findIndex((one) => one.unitId === unit && one.key === key);
    if (device === undefined) return;
    const truth = (atMs: number): number =>
      key === 'energy_kwh' ? device.energyCkwh(unit, atMs) : device.dailyCkwh(unit, atMs);
    let bookedCkwh = 0;
    let expectedCkwh = 0;
    let before: { atMs: number; ckwh: number } | null = null;
    for (const { values, measuredAtMs: atMs } of rows.toSorted(byMeasured)) {
      const value = values?.[index] ?? null;
      if (value === null || atMs === null) continue;
      const ckwh = Math.round(value * 100);
      if (Math.abs(ckwh - truth(atMs)) > 1)
        this.#fail(
          id,
          `${key} of unit ${unit} is ${ckwh / 100} kWh at ${iso(atMs)}, and ${truth(atMs) / 100} kWh is true`,
        );
      if (before !== null) {
        const isNew = beginsAnew(device, key, before.atMs, atMs);
        const riseCkwh = ckwh < before.ckwh - 1 ? ckwh : Math.max(0, ckwh - before.ckwh);
        bookedCkwh += riseCkwh;
        // What it showed before it began anew nobody can know, if it has passed its old value since.
        const isHidden = isNew && ckwh >= before.ckwh - 1;
        if (isHidden) expectedCkwh += riseCkwh;
        else
          expectedCkwh += isNew
            ? truth(atMs)
            : device.producedCkwh(unit, atMs) - device.producedCkwh(unit, before.atMs);
        if (atMs - before.atMs > 15 * minuteMs) this.#judgeHole(gateway, unit, before.atMs, atMs);
      }
      before = { atMs, ckwh };
    }
    // A hundredth for each row, of what registers round.
    const differenceCkwh = Math.abs(bookedCkwh - expectedCkwh);
    if (differenceCkwh > 10 + expectedCkwh * 0.000_1)
      this.#fail(
        id,
        `${key} of unit ${unit}: ${bookedCkwh / 100} kWh were booked, and ${expectedCkwh / 100} kWh produced`,
      );
  }

  /** A total that stays away for long was not read, or something was wrong with it. */
  #judgeHole({ life, rows }: StoredGateway, unit: number, fromMs: number, toMs: number): void {
    let answeredMs = Infinity;
    for (const { outcome, measuredAtMs } of rows.values())
      if (measuredAtMs !== null && measuredAtMs > fromMs && measuredAtMs < toMs)
        if (outcome === 'OK' || outcome === 'PARTIAL')
          answeredMs = Math.min(answeredMs, measuredAtMs);
    // A fall is believed after three readings over ten minutes.
    const patienceMs = 10 * minuteMs + 5 * life.intervalS * 1_000;
    const isFaulty = life.faults.some(
      (fault) => fault.fromMs < toMs && fault.toMs + patienceMs > fromMs,
    );
    if (toMs - answeredMs > 2 * patienceMs && !isFaulty)
      this.#fail(
        life.id,
        `totals of unit ${unit} were held back from ${iso(fromMs)} to ${iso(toMs)}`,
      );
  }

  // Helpers

  #wasUnwalked(fromMs: number, toMs: number): boolean {
    if (this.#goneMs !== null && toMs >= this.#goneMs - 1_000) return true;
    return this.#unwalked.some((span) => span.fromMs <= toMs && span.toMs >= fromMs);
  }

  #wasDatabaseAway(nowMs: number): boolean {
    const { database } = this.#of.site;
    return isWithin(
      database.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + minuteMs })),
      nowMs,
    );
  }

  /** Rows wait for ten minutes at most. */
  #wasAwayLong(atMs: number): boolean {
    return this.#of.site.database.some(
      ({ fromMs, toMs }) =>
        toMs - fromMs > 9 * minuteMs && atMs >= fromMs - minuteMs && atMs < toMs,
    );
  }

  #failedTogether(fromMs: number, toMs: number): boolean {
    return this.#together.some((span) => span.fromMs <= toMs && span.toMs >= fromMs);
  }

  #knownOf(id: string): Known {
    const known = this.#known.get(id);
    if (known === undefined) throw new Error(`nothing is known of ${id}`);
    return known;
  }

  #gateway(id: string): StoredGateway {
    const gateway = this.#of.store.gateways.get(id);
    if (gateway === undefined) throw new Error(`there is no gateway ${id}`);
    return gateway;
  }

  #fail(id: string, message: string): never {
    // The walker survives errors of its store, so that a throw alone might be lost in it.
    this.#violation ??= new SiteViolation(id, message, [...this.#knownOf(id).trace]);
    throw this.#violation;
  }
}

function byMeasured(a: ReadingRow, b: ReadingRow): number {
  return (a.measuredAtMs ?? 0) - (b.measuredAtMs ?? 0);
}

/** Whether the counter began at 0 between two instants: by a reset, or a daily one at midnight. */
function beginsAnew(device: Device, key: PointKey, fromMs: number, toMs: number): boolean {
  const reset = device.lastReset(toMs);
  if (reset !== null && reset > fromMs) return true;
  return key === 'daily_kwh' && Math.floor(fromMs / dayMs) !== Math.floor(toMs / dayMs);
}

function note(known: Known, say: string): void {
  known.trace.push(say);
  if (known.trace.length > traceMax) known.trace.shift();
}

function iso(atMs: number | null): string {
  return atMs === null ? 'never' : new Date(atMs).toISOString().slice(0, 23);
}
