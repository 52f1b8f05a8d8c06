import type {
  FetchResult,
  PlantActivities,
  PlantStanding,
  WholePollArgs,
  WholePollResult,
} from '../activities/plants/contract.ts';
import type { PollEffects } from '../workflows/plants/poll.ts';
import type { Checker } from './checker.ts';
import type { FailedAttempt, Polled } from './judging.ts';
import { randomOf } from './random.ts';
import type { Steps } from './steps.ts';
import { bookedRow } from './store.ts';
import type { Heard, SimulatedVendor } from './vendor.ts';

/** The effects of one poll over a store in memory. The course itself is the product's. */

/** Share of the polls in one step that a slow vendor keeps from ending in it. */
const cutShare = 0.2;
const secondAttemptLatencyMs = 30;

/** What a vendor said in the attempt whose reading a slot has claimed. The reading is used again after a crash. */
export interface Claimed {
  slotMs: number;
  nowMs: number;
  heard: Heard;
}

/** The loop's time, as its polls use and move it. */
export interface LoopTime {
  nowMs(): number;
  /** The later of the loop's time and the worker's clock. */
  clockMs(): number;
  /** Time passes, and people do things. */
  pass(ms: number): void;
  /** A step was committed: time passes, and the worker may die. */
  committed(step: string, slotMs: number): void;
}

interface World {
  steps: Steps;
  vendor: SimulatedVendor;
  checker: Checker;
  time: LoopTime;
  standing(): PlantStanding;
}

export class SimulatedPoll implements PollEffects {
  readonly log = { warn: () => {}, error: () => {} };
  readonly #world: World;
  readonly #slotMs: number;
  #failed: FailedAttempt[] = [];
  #heard: Heard | null = null;
  claimed: Claimed | null;

  constructor(world: World, slotMs: number, claimed: Claimed | null) {
    this.#world = world;
    this.#slotMs = slotMs;
    this.claimed = claimed;
  }

  get #plantId(): string {
    return this.#world.vendor.life.id;
  }

  nowMs(): number {
    return this.#world.time.nowMs();
  }

  sleep(ms: number): Promise<void> {
    const last = this.#failed.at(-1);
    if (last !== undefined) last.waitedMs = ms;
    this.#world.time.pass(ms + secondAttemptLatencyMs);
    return Promise.resolve();
  }

  /** Every error of the rules or of the store ends the life: the simulation looks for them. */
  endsPoll(): boolean {
    return true;
  }

  async pollWhole(args: WholePollArgs): Promise<WholePollResult | null> {
    if (args.postpone === true) return { kind: 'LATER' };
    const { steps, checker, time } = this.#world;
    const { plantId, slotMs, trigger, missed, intervalMs } = args;
    if (randomOf(plantId, 'steps', slotMs).chance(cutShare)) return null;
    const before = steps.readWholeBefore(plantId, time.clockMs());
    if (missed !== null && steps.isMissedBooked(plantId, missed)) return { kind: 'STEPS' };
    if (slotMs > time.nowMs()) time.pass(slotMs - time.nowMs());
    const fetched = await this.fetchReadings({ plantId, slotMs });
    if (fetched.kind !== 'READING') return { kind: 'FETCHED', fetched };
    const { nowMs, durationMs, reading } = fetched;
    const poll = { plantId, slotMs, nowMs, startedAtMs: nowMs, durationMs, reading };
    const written = steps.writeWhole(poll, before);
    if (written === null) return { kind: 'FETCHED', fetched };
    const { booked, changes } = written;
    if (missed !== null) steps.store.insertMissed(plantId, { intervalMs, ...missed });
    steps.store.insertPollLog(bookedRow(plantId, slotMs, trigger, written.poll));
    checker.snapshotTaken(plantId, { slotMs, nowMs, reading, booked, heard: this.#heard });
    const result = { kind: 'READING', reading } as const;
    this.#tellPolled(fetched, { slotMs, nowMs, result, booked, changes, attempts: 1 });
    checker.logged(plantId, slotMs, time.nowMs());
    const standing = this.#world.standing();
    time.committed('log', slotMs);
    return { kind: 'ENDED', poll: written.poll, standing };
  }

  async fetchReadings({
    plantId,
    slotMs,
  }: {
    plantId: string;
    slotMs: number;
  }): Promise<FetchResult> {
    const { steps, vendor, time } = this.#world;
    vendor.takeHeard();
    const result = await steps.fetchReadings(plantId, slotMs, time.clockMs());
    this.#heard = vendor.takeHeard();
    if (result.kind === 'READING' || result.kind === 'VENDOR_FAILURE') time.pass(result.durationMs);
    if (result.kind === 'READING') this.#remember(result.nowMs);
    if (result.kind === 'VENDOR_FAILURE' && result.asked)
      this.#failed.push({ failure: result.failure, waitedMs: null });
    this.#fetched = result;
    time.committed('fetch', slotMs);
    return result;
  }

  #fetched: FetchResult | null = null;

  /** Whether the slot was booked before this poll. */
  get isBooked(): boolean {
    return this.#fetched?.kind === 'ALREADY_BOOKED';
  }

  /** The claimed reading of a slot is what the vendor said before the crash. */
  #remember(nowMs: number): void {
    const { claimed } = this;
    const isClaim = claimed !== null && claimed.slotMs === this.#slotMs && claimed.nowMs === nowMs;
    if (isClaim && this.#heard?.summary === null) this.#heard = claimed.heard;
    else if (this.#heard !== null)
      this.claimed = { slotMs: this.#slotMs, nowMs, heard: this.#heard };
  }

  steps(): ReturnType<PollEffects['steps']> {
    const { steps, checker, time } = this.#world;
    const { store } = steps;
    return {
      writeMissed: async ({ plantId, ...missed }) => steps.writeOff(plantId, missed),
      upsertSnapshot: async ({ plantId, slotMs, nowMs, reading }) => {
        const { booked, gaps } = steps.upsertSnapshot(plantId, slotMs, nowMs, reading);
        checker.snapshotTaken(plantId, { slotMs, nowMs, reading, booked, heard: this.#heard });
        time.committed('snapshot', slotMs);
        return { booked, gaps };
      },
      backfillDays: async ({ plantId, dates, nowMs }) => {
        const failure = await steps.fillDays({ plantId, dates, source: 'BACKFILL', nowMs });
        checker.filled(plantId);
        time.committed('backfill', this.#slotMs);
        return { days: [], failure };
      },
      reconcileAlerts: async (args) => {
        const { poll, changes } = steps.reconcileAlerts(args);
        if (changes !== null) this.#tellPolled(this.#fetched, { ...args, changes });
        const standing = this.#world.standing();
        time.committed('reconcile', args.slotMs);
        return { poll, ...standing };
      },
      writePollLog: async (row) => {
        store.insertPollLog({ ...row, slotsMissed: null });
        checker.logged(row.plantId, row.slotMs, time.nowMs());
        time.committed('log', row.slotMs);
      },
    } satisfies Pick<PlantActivities, keyof ReturnType<PollEffects['steps']>>;
  }

  #tellPolled(
    fetched: FetchResult | null,
    decided: Pick<Polled, 'slotMs' | 'nowMs' | 'result' | 'booked' | 'changes' | 'attempts'>,
  ): void {
    const { steps, checker } = this.#world;
    const version =
      fetched !== null && 'credentialsVersion' in fetched ? fetched.credentialsVersion : null;
    checker.polled(this.#plantId, {
      ...decided,
      heard: decided.result.kind === 'READING' ? this.#heard : null,
      failed: this.#failed,
      areCredentialsCurrent: steps.store.credentialsVersion === version,
    });
  }
}
