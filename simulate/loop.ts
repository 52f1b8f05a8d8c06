import type { FetchResult, Plan } from '../activities/plants/contract.ts';
import type { Booked, BookedPoll } from '../domain/plants/changes.ts';
import type { ClosingVerdict } from '../domain/plants/facts.ts';
import type { IntegrationStatus, Trigger } from '../domain/plants/plant.ts';
import type { LocalDate } from '../domain/zone.ts';
import { afterAttempt } from '../domain/plants/retry.ts';
import { catchUpWaitMsMax, type Grid, isLate, lateSlots, nextSlotAfter } from '../domain/slots.ts';
import type { Checker, Polled } from './checker.ts';
import type { VendorFailure } from '../domain/plants/reading.ts';
import { isWithin, type Life, type PlantLife } from './life.ts';
import { randomOf } from './random.ts';
import { bookedRow, type Steps, type WholeBefore } from './steps.ts';
import type { Heard, SimulatedVendor } from './vendor.ts';

/**
 * A plant's loop on a virtual clock: what `workflows/plants/plant-monitor.ts`, `poll.ts` and `daily-close.ts` do, without Temporal.
 * It is cut off between any two steps, left without a worker, and told of people's changes while it polls.
 */

const minuteMs = 60_000;
const stepMs = 5;
const secondAttemptLatencyMs = 30;
/** Of the polls. */
const singleStepsShare = 0.2;
/** How long a worker is gone when it dies between two steps. */
const crashMsMax = 15_000;
/** Every so often the fleet's reconciliation evaluates plants that are not polled. */
const remindEveryMs = 30 * minuteMs;
const reconcileEveryMs = 30_000;

/** The worker died here. What was committed stays. */
class Crash extends Error {}

interface LoopState {
  integrationStatus: IntegrationStatus;
  revision: number;
  grid: Grid;
  periodFromMs: number;
  lastSlotMs: number | null;
  nextClosing: { date: LocalDate; atMs: number } | null;
  closedDate: LocalDate | null;
}

type Due =
  | { kind: 'SLOT' | 'START' | 'MANUAL' | 'UNPAUSE' | 'REMIND'; atMs: number }
  | { kind: 'CLOSING'; atMs: number; date: LocalDate };

interface Fetched {
  result: FetchResult;
  attempts: number;
  durationMs: number;
  heard: Heard | null;
  failed: FailedAttempt[];
}

/** An attempt that failed, and how long it was waited before the next one; null: there was none. */
export interface FailedAttempt {
  failure: VendorFailure;
  waitedMs: number | null;
}

/** What people do meanwhile: applied between two steps as well. */
export type Meanwhile = (nowMs: number) => void;

export class Loop {
  readonly life: PlantLife;
  /** The loop's own now: it does one thing after the other. */
  nowMs: number;
  lookAgain = true;
  asked = false;
  readonly #world: Life;
  readonly #steps: Steps;
  readonly #vendor: SimulatedVendor;
  readonly #checker: Checker;
  readonly #meanwhile: Meanwhile;
  #state: LoopState | null = null;
  #startDue = false;
  #missedClosings: { date: LocalDate; atMs: number }[] = [];
  #verdicts: ClosingVerdict[] = [];
  #remindedAtMs = 0;
  /** What the vendor said in the attempt whose reading a slot has claimed. */
  #heardOf: { slotMs: number; nowMs: number; heard: Heard } | null = null;

  constructor(
    world: Life,
    steps: Steps,
    vendor: SimulatedVendor,
    checker: Checker,
    meanwhile: Meanwhile,
  ) {
    this.#world = world;
    this.life = vendor.life;
    this.nowMs = world.fromMs;
    this.#steps = steps;
    this.#vendor = vendor;
    this.#checker = checker;
    this.#meanwhile = meanwhile;
  }

  /** When it does something next. */
  nextAt(): number {
    if (this.#isFlagged()) return this.nowMs;
    return Math.max(this.nowMs, this.#nextDue().atMs);
  }

  /** No worker until then. */
  sleepUntil(atMs: number, isCold: boolean): void {
    this.nowMs = atMs;
    if (isCold) this.#forget();
  }

  /** One thing. */
  async turn(): Promise<void> {
    this.nowMs = this.nextAt();
    try {
      if (this.lookAgain || this.#state === null) return this.#look();
      const verdict = this.#verdicts.shift();
      if (verdict !== undefined) return this.#evaluate(this.#state, verdict);
      await this.#doDue(this.#nextDue(), this.#state);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#forget();
    }
  }

  #isFlagged(): boolean {
    return (
      this.#state === null ||
      this.lookAgain ||
      this.#verdicts.length > 0 ||
      (this.asked && this.#state.integrationStatus === 'ACTIVE')
    );
  }

  #forget(): void {
    this.#state = null;
    this.lookAgain = true;
    this.#startDue = false;
    // Signals wait in Temporal; a verdict that was not taken yet is still there.
  }

  #nextDue(): Due {
    const state = this.#state;
    if (state === null) return { kind: 'START', atMs: this.nowMs };
    const closing = this.#missedClosings[0] ?? state.nextClosing;
    let due: Due =
      closing === null ? { kind: 'SLOT', atMs: Infinity } : { kind: 'CLOSING', ...closing };
    if (state.integrationStatus !== 'ACTIVE') {
      this.asked = false;
      return this.#nextOfPaused(due);
    }
    const slotMs = nextSlotAfter(
      state.grid,
      Math.max(state.lastSlotMs ?? 0, state.periodFromMs - 1),
    );
    if (slotMs < due.atMs) due = { kind: 'SLOT', atMs: slotMs };
    if (slotMs > this.nowMs) {
      if (this.#startDue) return { kind: 'START', atMs: this.nowMs };
      if (this.asked && due.atMs > this.nowMs) return { kind: 'MANUAL', atMs: this.nowMs };
    }
    return due;
  }

  /** What the fleet's reconciliation does for a plant that is not polled. */
  #nextOfPaused(due: Due): Due {
    const { pausedUntilMs } = this.#steps.ledger.findPlant(this.life.id);
    const remindMs = Math.max(this.nowMs, this.#remindedAtMs + remindEveryMs);
    let next = due;
    if (remindMs < next.atMs) next = { kind: 'REMIND', atMs: remindMs };
    if (pausedUntilMs !== null) {
      const atMs = Math.ceil(pausedUntilMs / reconcileEveryMs) * reconcileEveryMs;
      if (atMs <= next.atMs) next = { kind: 'UNPAUSE', atMs };
    }
    return next;
  }

  async #doDue(due: Due, state: LoopState): Promise<void> {
    switch (due.kind) {
      case 'CLOSING':
        return this.#close(due, state);
      case 'SLOT':
        return this.#pollSlot(due.atMs, state);
      case 'START':
      case 'MANUAL': {
        const startsAtMs = Math.max(this.nowMs, (state.lastSlotMs ?? 0) + 1);
        this.nowMs = Math.max(this.nowMs + 1, startsAtMs);
        return this.#poll(state, startsAtMs, due.kind);
      }
      case 'UNPAUSE':
        this.#steps.ledger.resumePlant(this.life.id, this.nowMs);
        this.lookAgain = true;
        return;
      case 'REMIND': {
        this.#remindedAtMs = this.nowMs;
        const changes = this.#steps.evaluatePlant(this.life.id, this.nowMs, null, null);
        this.#checker.evaluated(this.life.id, this.nowMs, changes, null);
        this.nowMs += stepMs;
      }
    }
  }

  #look(): void {
    this.lookAgain = false;
    const plan = this.#steps.planPlant(this.life.id, this.nowMs);
    const before = this.#state;
    const closedDate = before?.closedDate ?? null;
    this.#state = {
      integrationStatus: plan.integrationStatus,
      revision: plan.revision,
      grid: { intervalMs: plan.intervalMs, phaseMs: plan.phaseMs },
      periodFromMs: plan.periodFromMs,
      lastSlotMs: Math.max(plan.lastSlotMs ?? 0, before?.lastSlotMs ?? 0) || null,
      nextClosing: plan.nextClosing,
      closedDate,
    };
    this.#startDue = plan.startDue;
    this.#missedClosings = missedOf(plan, closedDate);
    this.nowMs += stepMs;
    if (before === null || before.revision !== plan.revision) this.#evaluate(this.#state, null);
  }

  #evaluate(state: LoopState, closing: ClosingVerdict | null): void {
    const { id } = this.life;
    const changes = this.#steps.evaluatePlant(id, this.nowMs, state.revision, closing);
    this.#checker.evaluated(id, this.nowMs, changes, closing);
    if (this.#steps.ledger.findPlant(id).revision !== state.revision) this.lookAgain = true;
    this.nowMs += stepMs;
  }

  async #close({ date, atMs }: { date: LocalDate; atMs: number }, state: LoopState): Promise<void> {
    const { id } = this.life;
    const startedAtMs = this.nowMs;
    if (!this.#steps.ledger.hasDailyLog(id, atMs)) {
      const nowMs = this.#clock(startedAtMs);
      let failure = await this.#steps.refreshDays(id, date, nowMs);
      let attempts = 1;
      if (failure !== null) {
        const after = afterAttempt(failure, attempts);
        if (after.next === 'RETRY') {
          attempts += 1;
          this.nowMs += after.waitMs;
          failure = await this.#steps.refreshDays(id, date, this.#clock(this.nowMs));
        }
      }
      this.nowMs += stepMs;
      const verdict = this.#steps.closeDay(id, date);
      this.#checker.closed(id, date, atMs, verdict);
      this.#steps.ledger.insertPollLog({
        plantId: id,
        jobType: 'DAILY',
        slotMs: atMs,
        trigger: startedAtMs - atMs > minuteMs ? 'CATCH_UP' : 'SCHEDULE',
        outcome: failure === null ? 'OK' : 'PARTIAL',
        startedAtMs,
        durationMs: this.nowMs - startedAtMs,
        attempts,
        slotsMissed: null,
        errorType: failure?.type ?? null,
        error: failure?.message ?? (verdict.severity === null ? verdict.note : null),
        booked: null,
      });
      this.#verdicts.push(verdict);
    }
    if (state.closedDate === null || date > state.closedDate) state.closedDate = date;
    if (this.#missedClosings[0]?.date === date) this.#missedClosings.shift();
    else this.lookAgain = true;
  }

  async #pollSlot(slotMs: number, state: LoopState): Promise<void> {
    this.nowMs += this.#lateness(slotMs, state.grid.intervalMs);
    const dueSince = () =>
      lateSlots(state.grid, Math.max(state.lastSlotMs ?? 0, state.periodFromMs - 1), this.nowMs);
    const late = dueSince();
    if (late === null) return;
    const isOneLate = isLate(state.grid, late.catchUp, this.nowMs);
    const isCatchingUp = late.missedCount > 0 || late.overflowCount > 0 || isOneLate;
    const waitMsMax = catchUpWaitMsMax(state.grid, this.nowMs);
    if (isOneLate && waitMsMax > 0) {
      const share = randomOf(this.life.id, 'catch up', slotMs).next();
      this.nowMs += Math.max(1, Math.floor(share * waitMsMax));
    }
    const slots = dueSince() ?? late;
    if (slots.missedCount > 0) {
      const { missedFromMs: fromMs, missedToMs: toMs, overflowFromMs } = slots;
      this.#steps.writeOff(this.life.id, {
        intervalMs: state.grid.intervalMs,
        rows: fromMs === null || toMs === null ? null : { fromMs, toMs },
        overflow:
          overflowFromMs === null ? null : { slotMs: overflowFromMs, slots: slots.overflowCount },
      });
    }
    await this.#poll(state, slots.catchUp, isCatchingUp ? 'CATCH_UP' : 'SCHEDULE');
  }

  /** Mostly none; some ms; and at times, where a worker is busy, up to two intervals. */
  #lateness(slotMs: number, intervalMs: number): number {
    if (this.#world.lateShare === 0) return 0;
    const random = randomOf(this.life.id, 'late', slotMs);
    if (!random.chance(this.#world.lateShare)) return 0;
    return random.chance(0.04) ? random.int(1, 2 * intervalMs) : random.int(1, 250);
  }

  async #poll(state: LoopState, slotMs: number, trigger: Trigger): Promise<void> {
    this.#startDue = false;
    this.asked = false;
    for (let run = 0; ; run += 1) {
      try {
        await this.#pollOnce(slotMs, trigger, run);
        break;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        const random = randomOf(this.life.id, 'crash', slotMs, run);
        this.nowMs += random.int(200, crashMsMax);
        // A poll off the grid is known by its start, which Temporal keeps: it is always taken up again.
        const isOnGrid = trigger === 'SCHEDULE' || trigger === 'CATCH_UP';
        // Near the end nobody would be left to write its row.
        const hasSuccessor = this.nowMs + 4 * state.grid.intervalMs < this.#world.toMs;
        if (isOnGrid && hasSuccessor && random.chance(0.3)) {
          // The worker stays away, and whoever follows knows nothing.
          this.nowMs += random.int(0, 3 * state.grid.intervalMs);
          throw error;
        }
      }
    }
    state.lastSlotMs = slotMs;
    if (this.#steps.ledger.findPlant(this.life.id).revision !== state.revision)
      this.lookAgain = true;
  }

  async #pollOnce(slotMs: number, trigger: Trigger, run: number): Promise<void> {
    const { id } = this.life;
    const startedAtMs = this.nowMs;
    // A slow vendor is left to the regular path, and so are loops that began before there was another.
    const isWhole = !randomOf(id, 'steps', slotMs).chance(singleStepsShare);
    const before = isWhole ? this.#steps.readWholeBefore(id, this.#clock(startedAtMs)) : null;
    const fetched = await this.#fetchAll(slotMs);
    this.#step('fetch', slotMs, run);
    const poll =
      this.#bookWhole(slotMs, startedAtMs, fetched, before) ??
      (await this.#book(slotMs, startedAtMs, fetched, run));
    const row =
      typeof poll === 'string'
        ? { ...skippedRow(id, slotMs, trigger), outcome: poll }
        : bookedRow(id, slotMs, trigger, poll);
    this.#steps.ledger.insertPollLog(row);
    this.#checker.logged(id, slotMs, this.nowMs);
    this.#step('log', slotMs, run);
  }

  async #fetchAll(slotMs: number): Promise<Fetched> {
    let attempts = 0;
    let durationMs = 0;
    const failed: FailedAttempt[] = [];
    for (;;) {
      this.#vendor.takeHeard();
      const result = await this.#steps.fetchReadings(this.life.id, slotMs, this.#clock(this.nowMs));
      const heard = this.#vendor.takeHeard();
      if (result.kind === 'READING' || result.kind === 'VENDOR_FAILURE') {
        durationMs += result.durationMs;
        this.nowMs += result.durationMs;
      }
      if (result.kind !== 'VENDOR_FAILURE') {
        const isReading = result.kind === 'READING';
        return {
          result,
          attempts: isReading ? attempts + 1 : attempts,
          durationMs,
          heard: isReading ? this.#remember(slotMs, result.nowMs, heard) : null,
          failed,
        };
      }
      if (!result.asked) return { result, attempts, durationMs, heard, failed };
      attempts += 1;
      const after = afterAttempt(result.failure, attempts);
      const waitedMs = after.next === 'DONE' ? null : after.waitMs;
      failed.push({ failure: result.failure, waitedMs });
      if (after.next === 'DONE') return { result, attempts, durationMs, heard, failed };
      durationMs += after.waitMs;
      this.nowMs += after.waitMs + secondAttemptLatencyMs;
    }
  }

  /** A reading that a slot has claimed before a crash is what the vendor said then. */
  #remember(slotMs: number, nowMs: number, heard: Heard): Heard {
    const known = this.#heardOf;
    if (
      known !== null &&
      known.slotMs === slotMs &&
      known.nowMs === nowMs &&
      heard.summary === null
    )
      return known.heard;
    this.#heardOf = { slotMs, nowMs, heard };
    return heard;
  }

  /** An ordinary poll in one step; null leaves it to the single steps. */
  #bookWhole(
    slotMs: number,
    startedAtMs: number,
    fetched: Fetched,
    before: WholeBefore | null,
  ): BookedPoll | null {
    const { result, attempts, durationMs, heard } = fetched;
    if (before === null || result.kind !== 'READING' || attempts > 1) return null;
    const { id } = this.life;
    const { nowMs, reading } = result;
    const written = this.#steps.writeWhole(
      { plantId: id, slotMs, nowMs, startedAtMs, durationMs, reading },
      before,
    );
    if (written === null) return null;
    const { poll, booked, changes } = written;
    this.#checker.snapshotTaken(id, slotMs, nowMs, reading, booked, heard);
    const answer = { kind: 'READING', reading } as const;
    this.#tellPolled(fetched, { slotMs, nowMs, result: answer, booked, changes });
    return poll;
  }

  #tellPolled(
    { result, heard, attempts, failed }: Fetched,
    decided: Pick<Polled, 'slotMs' | 'nowMs' | 'result' | 'booked' | 'changes'>,
  ): void {
    const version = 'credentialsVersion' in result ? result.credentialsVersion : null;
    const areCredentialsCurrent = this.#steps.ledger.credentialsVersion === version;
    this.#checker.polled(this.life.id, {
      ...decided,
      heard,
      attempts,
      failed,
      areCredentialsCurrent,
    });
  }

  async #book(
    slotMs: number,
    startedAtMs: number,
    fetched: Fetched,
    run: number,
  ): Promise<BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE'> {
    const { result, attempts, durationMs, heard } = fetched;
    const { id } = this.life;
    if (result.kind === 'ALREADY_BOOKED') return result.poll;
    if (result.kind !== 'READING' && result.kind !== 'VENDOR_FAILURE') return result.kind;
    const { nowMs, credentialsVersion } = result;
    let booked: Booked | null = null;
    let gaps: LocalDate[] = [];
    if (result.kind === 'READING') {
      ({ booked, gaps } = this.#steps.upsertSnapshot(id, slotMs, nowMs, result.reading));
      this.#checker.snapshotTaken(id, slotMs, nowMs, result.reading, booked, heard);
      this.#step('snapshot', slotMs, run);
      if (gaps.length > 0) {
        await this.#steps.fillDays(id, gaps, 'BACKFILL', nowMs);
        this.#checker.filled(id);
        this.#step('backfill', slotMs, run);
      }
    }
    const outcome =
      result.kind === 'READING'
        ? ({ kind: 'READING', reading: result.reading } as const)
        : ({ kind: 'FAILURE', failure: result.failure } as const);
    const { poll, changes } = this.#steps.reconcileAlerts({
      plantId: id,
      slotMs,
      nowMs,
      startedAtMs,
      durationMs,
      attempts,
      result: outcome,
      credentialsVersion,
      booked,
    });
    if (changes !== null)
      this.#tellPolled(fetched, { slotMs, nowMs, result: outcome, booked, changes });
    this.#step('reconcile', slotMs, run);
    return poll;
  }

  /** A step was committed: time passes, people do things, and the worker may die. */
  #step(name: string, slotMs: number, run: number): void {
    this.nowMs += stepMs;
    this.#meanwhile(this.nowMs);
    const { crashShare } = this.#world;
    if (crashShare > 0 && randomOf(this.life.id, name, slotMs, run).chance(crashShare))
      throw new Crash(name);
  }

  /** The later of the workflow's time and the worker's clock. */
  #clock(workflowMs: number): number {
    const jump = this.#world.clockJumps.find((one) => isWithin(workflowMs, one));
    return Math.max(workflowMs, workflowMs + (jump?.offMs ?? 0));
  }
}

function missedOf(
  plan: Extract<Plan, { kind: 'PLAN' }>,
  closedDate: LocalDate | null,
): { date: LocalDate; atMs: number }[] {
  return plan.missedClosings.filter(({ date }) => closedDate === null || date > closedDate);
}

function skippedRow(plantId: string, slotMs: number, trigger: Trigger) {
  return {
    plantId,
    jobType: 'POLL',
    slotMs,
    trigger,
    startedAtMs: null,
    durationMs: null,
    attempts: 0,
    slotsMissed: null,
    errorType: null,
    error: null,
    booked: null,
  } as const;
}
