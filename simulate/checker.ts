import type { AlertsChanges, Booked } from '../domain/plants/changes.ts';
import type { ClosingVerdict } from '../domain/plants/facts.ts';
import { AlertsCheck } from './check-alerts.ts';
import { DaysCheck } from './check-days.ts';
import { checkLedger } from './check-ledger.ts';
import type { Store } from './store.ts';
import type { Life, PlantLife } from './life.ts';
import type { PollCourse } from '../activities/plants/contract.ts';
import type { PollAnswer } from '../workflows/plants/messages.ts';
import { type Counts, type Fail, type Polled, type Snapshot, Violation } from './judging.ts';
import { statusOf } from './oracle.ts';
import type { Steps } from './steps.ts';
import type { Heard, SimulatedVendor } from './vendor.ts';

/** Judges every step of every plant, while it happens and at the end. */

const tenMinutesMs = 600_000;
const traceMax = 24;
/** The pause before a second attempt, and the longest rate limit that a poll waits for. */
const secondAttemptWaitMs = 5_000;
const rateLimitWaitMsMax = 60_000;
/** Longer than a poll waits for anything. */
const answeredWithinMs = 4 * 3_600_000;
/** A run ends after sixteen polls, but not while people wait: a burst of requests adds some. */
const pollsPerRunMax = 400;
/** More requests than this at once are a burst, which shares one poll; a few may still come as it begins. */
const burstRequestsMax = 12;
/** A request that comes while a poll begins may be served by it. */
const startToleranceMs = 5;
const neverRetried: readonly string[] = ['AUTH_FAILED', 'PLANT_NOT_FOUND', 'INVALID_DATA_FORMAT'];

/** What is expected of one plant, kept apart from the store. */
interface Expected {
  life: PlantLife;
  lastSeenAtMs: number | null;
  /** The newest slot, or start of a manual poll, that was decided. */
  decidedMs: number | null;
  failures: number;
  lastShown: string;
  days: DaysCheck;
  alerts: AlertsCheck;
  trace: (() => string)[];
}

export class Checker {
  readonly counts: Counts = { polls: 0, evaluations: 0, closings: 0, beyondGuards: 0 };
  readonly #store: Store;
  readonly #steps: Steps;
  readonly #expected = new Map<string, Expected>();

  constructor(steps: Steps, vendors: readonly SimulatedVendor[]) {
    this.#steps = steps;
    this.#store = steps.store;
    const accountPlants = vendors.map(({ life }) => life.id);
    for (const vendor of vendors) {
      const { life } = vendor;
      const fail: Fail = (message) => this.#fail(life.id, message);
      this.#expected.set(life.id, {
        life,
        lastSeenAtMs: null,
        decidedMs: null,
        failures: 0,
        lastShown: '',
        days: new DaysCheck(vendor, steps.store, this.counts, fail),
        alerts: new AlertsCheck(life, steps.store, accountPlants, fail),
        trace: [],
      });
    }
  }

  /** After the snapshot step. */
  snapshotTaken(plantId: string, snapshot: Snapshot): void {
    const { days, trace } = this.#of(plantId);
    const { slotMs, nowMs, booked, heard } = snapshot;
    note(trace, () => {
      const { bookedDate, todayEnergyKwh, lifetimeEnergyKwh, powerW, seenAtMs } = booked;
      const shown = heard?.summary;
      return `${iso(slotMs)} read at ${iso(nowMs)}: vendor ${shown?.todayKwh ?? '-'} kWh of ${shown?.counterDate ?? '-'} measured ${iso(shown?.measuredMs ?? null)}; booked ${todayEnergyKwh} kWh to ${bookedDate}, lifetime ${lifetimeEnergyKwh}, ${powerW} W, seen ${iso(seenAtMs)}`;
    });
    if (heard !== null) days.afterReading({ ...snapshot, heard });
  }

  /** After a series was asked, for whatever reason. */
  filled(plantId: string): void {
    const { days, trace } = this.#of(plantId);
    const calls = this.#steps.seriesCalls.splice(0);
    for (const call of calls) {
      note(
        trace,
        () =>
          `series (${call.source}) of ${call.dates.join(' ')} at ${iso(call.nowMs)}: ${call.failure?.type ?? call.heard.series.map((day) => `${day.date} ${day.kwh}`).join(', ')}`,
      );
      days.afterSeries(call);
    }
    days.compareRows(calls.flatMap(({ dates }) => dates));
  }

  /** After the alert step of a poll. */
  polled(plantId: string, polled: Polled): void {
    this.counts.polls += 1;
    const expected = this.#of(plantId);
    const { nowMs, slotMs, result, changes, attempts } = polled;
    note(expected.trace, () => {
      const { status, statusReason } = changes.plant;
      const said = result.kind === 'FAILURE' ? result.failure.type : 'read';
      return `${iso(slotMs)} polled at ${iso(nowMs)} (${attempts}): ${said} → ${status} ${statusReason} ${changes.alerts.map(describe).join(' ')}`;
    });
    if (expected.decidedMs !== null && slotMs <= expected.decidedMs)
      this.#fail(plantId, `${iso(slotMs)} was polled after ${iso(expected.decidedMs)}`);
    expected.decidedMs = slotMs;
    if (nowMs < slotMs)
      this.#fail(plantId, `${iso(slotMs)} was asked for before, at ${iso(nowMs)}`);
    this.#judgeAttempts(plantId, polled);
    if (result.kind === 'READING') expected.days.afterPoll(nowMs);
    this.#judgeReadings(plantId, expected, polled);
    const { failures, lastSeenAtMs, days, alerts } = expected;
    alerts.afterPoll(polled, { failures, lastSeenAtMs, days: days.rows });
    this.#judgeStatus(plantId, expected, nowMs);
  }

  /** After alerts and status were evaluated without a reading; `changes` null: the plant had another revision. */
  evaluated(
    plantId: string,
    nowMs: number,
    changes: AlertsChanges | null,
    closing: ClosingVerdict | null,
  ): void {
    if (changes === null) return;
    this.counts.evaluations += 1;
    const expected = this.#of(plantId);
    note(expected.trace, () => {
      const { status, statusReason } = changes.plant;
      return `evaluated at ${iso(nowMs)}${closing === null ? '' : ` (closing of ${closing.date}: ${closing.severity})`} → ${status} ${statusReason} ${changes.alerts.map(describe).join(' ')}`;
    });
    expected.alerts.afterEvaluation(nowMs, closing, expected.lastSeenAtMs);
    this.#judgeStatus(plantId, expected, nowMs);
  }

  /** After a day was closed, before its verdict is taken. */
  closed(plantId: string, date: string, atMs: number, verdict: ClosingVerdict): void {
    this.counts.closings += 1;
    this.filled(plantId);
    this.#of(plantId).days.afterClosing(date, atMs, verdict);
  }

  /** A request to poll was served. `answer` null: refused. */
  answered(plantId: string, askedAtMs: number, answer: PollAnswer | null): void {
    const { integrationStatus } = this.#store.findPlant(plantId);
    if (answer === null) {
      if (integrationStatus === 'ACTIVE') this.#fail(plantId, 'a request was refused');
      return;
    }
    const slotMs = Date.parse(answer.scheduled_for);
    const row = this.#store.findPoll(plantId, slotMs);
    if (row === undefined)
      return this.#fail(plantId, `answered with ${iso(slotMs)}, without a row`);
    // A skipped poll has no start: its slot counts.
    const startedAtMs = row.startedAtMs ?? Math.max(slotMs, askedAtMs);
    if (startedAtMs + startToleranceMs < askedAtMs)
      this.#fail(plantId, `a request of ${iso(askedAtMs)} was answered with ${iso(startedAtMs)}`);
  }

  /** A requested poll begins while `waiting` requests of the last second wait. */
  polledInBurst(plantId: string, waiting: number, atMs: number): void {
    if (waiting > burstRequestsMax)
      this.#fail(plantId, `polled at ${iso(atMs)}, in the middle of a burst of ${waiting}`);
  }

  /** A loop waits though a pause or resume by signal was not carried out. */
  ignored(plantId: string, wish: string, atMs: number): void {
    this.#fail(plantId, `${wish} by signal was ignored at ${iso(atMs)}`);
  }

  /** A loop handed its state to a new run. */
  newRun(plantId: string, course: PollCourse | undefined, told: PollCourse | null): void {
    if (course !== told) this.#fail(plantId, `a new run polls ${course}, the worker told ${told}`);
  }

  /** A poll is the `polls`th of its run. A postponed one counts twice. */
  pollsOfRun(plantId: string, polls: number): void {
    if (polls > pollsPerRunMax) this.#fail(plantId, `${polls} polls in one run`);
  }

  /** A loop that has forgotten nothing asks for a slot that is booked. */
  polledAgain(plantId: string, slotMs: number): void {
    this.#fail(plantId, `${iso(slotMs)} was polled again without a crash`);
  }

  /** At the end of a life: a request still waits since `sinceMs`; null: none. */
  leftWaiting(plantId: string, sinceMs: number | null, { toMs, outages }: Life): void {
    if (sinceMs === null || outages.some((outage) => outage.toMs > sinceMs)) return;
    if (toMs - sinceMs > answeredWithinMs)
      this.#fail(plantId, `a request of ${iso(sinceMs)} has no answer`);
  }

  logged(plantId: string, slotMs: number, nowMs: number): void {
    note(this.#of(plantId).trace, () => `${iso(slotMs)} logged at ${iso(nowMs)}`);
  }

  /** People did something. */
  told(plantId: string, what: string, atMs: number): void {
    note(this.#of(plantId).trace, () => `${what} at ${iso(atMs)}`);
    this.#of(plantId).alerts.afterDecision();
  }

  /** The checks that need the whole life. */
  atTheEnd(life: Life): void {
    for (const [plantId, expected] of this.#expected) {
      const fail: Fail = (message) => this.#fail(plantId, message);
      checkLedger(this.#store, expected, life, fail);
    }
  }

  /** One second attempt where that may help, after the pause that the failure needs. */
  #judgeAttempts(plantId: string, { attempts, failed }: Polled): void {
    if (attempts > 2) this.#fail(plantId, `${attempts} attempts`);
    const [first] = failed;
    if (first === undefined) return;
    const { type, retryAfterMs } = first.failure;
    const isLimited = type === 'RATE_LIMIT_EXCEEDED';
    const limitMs = isLimited ? (retryAfterMs ?? Infinity) : 0;
    const mayBeRepeated = !neverRetried.includes(type) && limitMs <= rateLimitWaitMsMax;
    if (!mayBeRepeated && attempts > 1) this.#fail(plantId, `${type} was asked again`);
    if (mayBeRepeated && attempts === 1) this.#fail(plantId, `${type} was not asked again`);
    const waitMsMin = Math.max(secondAttemptWaitMs, limitMs);
    if (mayBeRepeated && (first.waitedMs ?? 0) < waitMsMin)
      this.#fail(plantId, `${type} was asked again after ${first.waitedMs} ms`);
  }

  /** The last sign of life never goes back; it comes from the vendor's measurement time or from a proof of life. */
  #judgeReadings(
    plantId: string,
    expected: Expected,
    { result, heard, nowMs, booked }: Polled,
  ): void {
    const plant = this.#store.findPlant(plantId);
    if (result.kind === 'FAILURE') expected.failures += 1;
    else {
      expected.failures = 0;
      const seen = seenBy(expected, heard, nowMs, booked);
      const candidates = seen.map((atMs) =>
        atMs === null ? expected.lastSeenAtMs : Math.max(atMs, expected.lastSeenAtMs ?? atMs),
      );
      if (!candidates.includes(plant.lastSeenAtMs))
        this.#fail(
          plantId,
          `last seen ${iso(plant.lastSeenAtMs)}, expected ${candidates.map(iso).join(' or ')}`,
        );
      expected.lastSeenAtMs = plant.lastSeenAtMs;
    }
    if (plant.lastSeenAtMs !== expected.lastSeenAtMs)
      this.#fail(plantId, 'a failed poll has changed when the plant was last seen');
    if (plant.consecutiveFailures !== expected.failures)
      this.#fail(plantId, `${plant.consecutiveFailures} failures, expected ${expected.failures}`);
  }

  #judgeStatus(plantId: string, expected: Expected, nowMs: number): void {
    const plant = this.#store.findPlant(plantId);
    const active = this.#store.alerts(plantId).filter(({ state }) => state !== 'RESOLVED');
    const { life, lastSeenAtMs } = expected;
    const { status, reason } = statusOf(plant, life, { lastSeenAtMs, active }, nowMs);
    if (plant.status !== status || plant.statusReason !== reason)
      this.#fail(
        plantId,
        `status ${plant.status} ${plant.statusReason}, expected ${status} ${reason}`,
      );
  }

  #of(plantId: string): Expected {
    const expected = this.#expected.get(plantId);
    if (expected === undefined) throw new Error(`nothing is expected of ${plantId}`);
    return expected;
  }

  #fail(plantId: string, message: string): never {
    const trace = this.#of(plantId).trace.map((say) => say());
    throw new Violation(plantId, message, trace);
  }
}

/** The instants of which one must be the plant's newest sign of life; null: none in this answer. */
function seenBy(
  expected: Expected,
  heard: Heard | null,
  nowMs: number,
  booked: Booked | null,
): (number | null)[] {
  const shown = heard?.summary ?? null;
  const { life } = expected;
  if (shown === null) return [null];
  const values = `${shown.todayKwh} ${shown.lifetimeKwh}`;
  const isNew = values !== expected.lastShown;
  expected.lastShown = values;
  if (life.brand === 'HUAWEI') {
    if (shown.isOnline && shown.powerW > 0 && shown.spoilt !== 'IMPOSSIBLE_POWER') return [nowMs];
    // A refused total proves nothing.
    return isNew && booked?.bookedDate != null ? [null, nowMs] : [null];
  }
  if (shown.todayKwh === null) return [null, nowMs];
  const statedMs =
    life.brand === 'DELE' ? Math.floor(shown.measuredMs / 1_000) * 1_000 : shown.measuredMs;
  return statedMs > nowMs + tenMinutesMs ? [null] : [statedMs];
}

function describe(change: AlertsChanges['alerts'][number]): string {
  if (!('alert' in change)) return `${change.kind}(${change.id})`;
  const { type, vendorAlarmCode, deviceSn, severity } = change.alert;
  return `${change.kind}(${[type, vendorAlarmCode, deviceSn].filter((part) => part !== null).join('/')} ${severity})`;
}

/** Keeps the last decisions of a plant, to be put into words only after a violation. */
function note(trace: (() => string)[], say: () => string): void {
  trace.push(say);
  if (trace.length > traceMax) trace.shift();
}

function iso(atMs: number | null): string {
  return atMs === null ? 'never' : new Date(atMs).toISOString().slice(0, 19);
}
