import type { Closing, PlantStanding, PollCourse } from '../activities/plants/contract.ts';
import type { ClosingVerdict } from '../domain/plants/facts.ts';
import { makeClosing } from '../workflows/plants/closing.ts';
import { type LoopEffects, PlantLoop, type Turn } from '../workflows/plants/loop.ts';
import type { MonitorInput } from '../workflows/plants/messages.ts';
import { type PollEnd, pollPlant, type PollRequest } from '../workflows/plants/poll.ts';
import type { Checker } from './checker.ts';
import { isWithin, type Life, type PlantLife } from './life.ts';
import { type Claimed, SimulatedPoll } from './poll.ts';
import { randomOf } from './random.ts';
import type { Steps } from './steps.ts';
import type { SimulatedVendor } from './vendor.ts';

/**
 * The product's loop of one plant on a virtual clock, over steps without servers. Its worker dies between any two steps, is
 * away for hours, and is late; people decide things while it polls.
 */

const minuteMs = 60_000;
const stepMs = 5;
/** How long a worker is gone when it dies between two steps. */
const crashMsMax = 15_000;
/** How often the fleet's reconciliation evaluates plants that are not polled. */
const remindEveryMs = 30 * minuteMs;
const reconcileEveryMs = 30_000;
/** The loop pauses for a second in a burst; at its end that second is over. */
const burstPauseMs = 900;
/** People may ask at this many moments of a wait. */
const momentsOfWait = 40;

/** The worker died here. What was committed stays. */
class Crash extends Error {}

/** Carries out what people do until `nowMs`; also called between two steps. */
export type Meanwhile = (nowMs: number) => void;

/** What the plants of a life share. */
export interface World {
  life: Life;
  steps: Steps;
  checker: Checker;
}

interface Request {
  number: number;
  askedAtMs: number;
}

export class Loop {
  readonly life: PlantLife;
  /** The loop's own clock. */
  nowMs: number;
  readonly #world: Life;
  readonly #steps: Steps;
  readonly #vendor: SimulatedVendor;
  readonly #checker: Checker;
  readonly #meanwhile: Meanwhile;
  #loop: PlantLoop;
  /** What the loop waits for; null: nothing, its next turn is now. */
  #waits: Extract<Turn, { kind: 'WAIT' }> | null = null;
  /** Verdicts that the loop has not evaluated yet. */
  #verdicts: ClosingVerdict[] = [];
  #requests: Request[] = [];
  /** A pause or resume by signal that no loop has carried out. */
  #wish: 'ACTIVE' | 'DISABLED_BY_OPERATOR' | null = null;
  #remindedAtMs = 0;
  #claimed: Claimed | null = null;
  /** The setting that the last answer told; null before the first. */
  #toldCourse: PollCourse | null = null;
  #pollsInRun = 0;
  /** False after a crash until the loop has made a poll: it may ask for a slot that was booked before. */
  #knowsBooked = false;
  /** How often the running poll was begun again. */
  #run = 0;

  constructor(world: World, vendor: SimulatedVendor, meanwhile: Meanwhile) {
    this.#world = world.life;
    this.life = vendor.life;
    this.nowMs = world.life.fromMs;
    this.#steps = world.steps;
    this.#vendor = vendor;
    this.#checker = world.checker;
    this.#meanwhile = meanwhile;
    this.#loop = this.#begin();
  }

  // People

  ask(): void {
    this.#requests.push({ number: this.#loop.ask(), askedAtMs: this.nowMs });
  }

  lookAgain(): void {
    this.#loop.lookAgain();
  }

  /** As the Web UI's signals do it. */
  wishIntegration(to: 'ACTIVE' | 'DISABLED_BY_OPERATOR'): void {
    this.#wish = to;
    this.#loop.wishIntegration(to);
  }

  /** The instant of its next turn or chore, ms. */
  nextAt(): number {
    return Math.min(this.#loopAt(), this.#choreOfPaused().atMs);
  }

  #loopAt(): number {
    if (this.#waits === null || this.#loop.hasWork()) return this.nowMs;
    return Math.max(this.nowMs, this.#waits.untilMs ?? Infinity);
  }

  /** No worker until then. A cold one has forgotten the loop. */
  sleepUntil(atMs: number, isCold: boolean): void {
    this.nowMs = atMs;
    if (isCold) this.#forget();
  }

  /** Takes one turn of the loop, or does one chore. */
  async turn(): Promise<void> {
    const chore = this.#choreOfPaused();
    if (chore.atMs < this.#loopAt()) return this.#doChore(chore);
    this.#wake();
    try {
      const turn = await this.#loop.turn();
      if (turn.kind === 'WAIT') this.#wait(turn);
      if (turn.kind === 'NEW_RUN') this.#beginNewRun(turn.input);
      this.#judgeRequests();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#forget();
    }
  }

  /** A loop that waits has carried out what it was told. */
  #wait(turn: Extract<Turn, { kind: 'WAIT' }>): void {
    this.#waits = turn;
    if (this.#wish !== null && !this.#loop.hasWork())
      this.#checker.ignored(this.life.id, this.#wish, this.nowMs);
  }

  /** As Temporal hands the input to the next run, which takes the setting of the last answer. */
  #beginNewRun(input: MonitorInput): void {
    this.#checker.newRun(this.life.id, input.course, this.#toldCourse);
    this.#loop = this.#begin(JSON.parse(JSON.stringify(input)) as MonitorInput);
    this.#pollsInRun = 0;
  }

  /** The timer fires; where a worker is busy, late. */
  #wake(): void {
    const waits = this.#waits;
    this.#waits = null;
    if (waits === null || waits.untilMs === null || this.#loop.hasWork()) return;
    this.nowMs = Math.max(this.nowMs, waits.untilMs);
    if (waits.dueKind === 'SLOT') this.nowMs += this.#lateness(waits.untilMs);
  }

  /** Mostly 0, often some ms, rarely up to two intervals, ms. */
  #lateness(dueMs: number): number {
    if (this.#world.lateShare === 0) return 0;
    const random = randomOf(this.life.id, 'late', dueMs);
    if (!random.chance(this.#world.lateShare)) return 0;
    const { pollIntervalS } = this.#steps.store.findPlant(this.life.id);
    return random.chance(0.04) ? random.int(1, 2_000 * pollIntervalS) : random.int(1, 250);
  }

  #begin(input?: MonitorInput): PlantLoop {
    const { id: plantId, brand } = this.life;
    return new PlantLoop(input ?? { v: 2, plantId, brand }, this.#effects());
  }

  /** The worker forgets the loop. The next one gets the messages, which wait in Temporal. */
  #forget(): void {
    this.#knowsBooked = false;
    this.#loop = this.#begin();
    this.#waits = null;
    this.#pollsInRun = 0;
    if (this.#wish !== null) this.#loop.wishIntegration(this.#wish);
    for (const verdict of this.#verdicts) this.#loop.takeVerdict(verdict);
    this.#requests = this.#requests.map(({ askedAtMs }) => ({
      number: this.#loop.ask(),
      askedAtMs,
    }));
  }

  #effects(): LoopEffects {
    const { id } = this.life;
    const steps = this.#steps;
    return {
      nowMs: () => this.nowMs,
      random: () => randomOf(id, 'share', this.nowMs).next(),
      sleep: async (ms) => this.#pass(ms),
      waitUntil: async (holds, ms) => {
        const endMs = this.nowMs + ms;
        while (this.nowMs < endMs && !holds())
          this.#pass(Math.min(endMs - this.nowMs, Math.ceil(ms / momentsOfWait)));
      },
      planPlant: async ({ nowMs }) => {
        const plan = steps.planPlant(id, nowMs);
        this.#pass(stepMs);
        return plan;
      },
      evaluatePlant: async ({ nowMs, revision, closing }) => {
        const changes = steps.evaluatePlant(id, nowMs, revision, closing);
        this.#checker.evaluated(id, nowMs, changes, closing);
        this.#verdicts = this.#verdicts.filter(({ date }) => date !== closing?.date);
        const standing = this.#standing();
        this.#pass(stepMs);
        return standing;
      },
      setIntegration: async ({ to, nowMs }) => {
        if (to === 'ACTIVE') steps.store.resumePlant(id, nowMs);
        else steps.store.pausePlant(id, null);
        if (this.#wish === to) this.#wish = null;
        this.#pass(stepMs);
      },
      writeMissed: async ({ plantId, ...missed }) => steps.writeOff(plantId, missed),
      poll: (request) => this.#poll(request),
      startClosing: (closing) => this.#close(closing),
      showDetails: () => {},
      showStatus: () => {},
      isHistoryLong: () => false,
      areHandlersFinished: () => this.#requests.length === 0,
    };
  }

  /** The plant as the last step left it, and the worker's setting. */
  #standing(): PlantStanding {
    const plant = this.#steps.store.findPlant(this.life.id);
    const { status, statusReason, statusSinceMs, lastSeenAtMs, revision } = plant;
    const isSteps = this.#world.stepsSpans.some((span) => isWithin(this.nowMs, span));
    this.#toldCourse = isSteps ? 'STEPS' : 'WHOLE';
    return {
      status,
      statusReason,
      statusSinceMs,
      lastSeenAtMs,
      revision,
      openAlerts: 0,
      ...(isSteps ? { course: 'STEPS' as const } : {}),
    };
  }

  /** Polls, again after each crash of the worker; at times the loop is forgotten with it, and no poll follows. */
  async #poll(request: PollRequest): Promise<PollEnd | null> {
    const { slotMs, trigger, intervalMs } = request;
    this.#checker.pollsOfRun(this.life.id, (this.#pollsInRun += 1));
    if (trigger === 'MANUAL') this.#judgeBurst();
    for (this.#run = 0; ; this.#run += 1) {
      const effects = this.#pollEffects(slotMs);
      try {
        const end = await pollPlant(request, effects);
        if (effects.isBooked && this.#run === 0 && this.#knowsBooked)
          this.#checker.polledAgain(this.life.id, slotMs);
        if (end !== null) this.#knowsBooked = true;
        return end;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        const random = randomOf(this.life.id, 'crash', slotMs, this.#run);
        this.nowMs += random.int(200, crashMsMax);
        // Temporal keeps the start of a poll off the grid: such a poll is always taken up again.
        const isOnGrid = trigger === 'SCHEDULE' || trigger === 'CATCH_UP';
        // Near the end no later loop would write its row.
        const hasSuccessor = this.nowMs + 4 * intervalMs < this.#world.toMs;
        if (isOnGrid && hasSuccessor && random.chance(0.3)) {
          this.nowMs += random.int(0, 3 * intervalMs);
          throw error;
        }
      } finally {
        this.#claimed = effects.claimed;
      }
    }
  }

  /** The loop must wait for the end of a burst before it polls. */
  #judgeBurst(): void {
    const came = this.#requests.filter(({ askedAtMs }) => askedAtMs > this.nowMs - burstPauseMs);
    this.#checker.polledInBurst(this.life.id, came.length, this.nowMs);
  }

  #pollEffects(slotMs: number): SimulatedPoll {
    const world = {
      steps: this.#steps,
      vendor: this.#vendor,
      checker: this.#checker,
      standing: () => this.#standing(),
      time: {
        nowMs: () => this.nowMs,
        clockMs: () => this.#clock(),
        pass: (ms: number) => this.#pass(ms),
        committed: (step: string, at: number) => this.#committed(step, at),
      },
    };
    return new SimulatedPoll(world, slotMs, this.#claimed);
  }

  /** Closes the day and waits for its end. The product does not wait. */
  async #close(closing: Closing): Promise<void> {
    const { id } = this.life;
    const { date, atMs } = closing;
    const steps = this.#steps;
    if (steps.store.hasDailyLog(id, atMs)) return;
    const verdict = await makeClosing(id, closing, {
      nowMs: () => this.nowMs,
      sleep: async (ms) => void (this.nowMs += ms),
      endsPoll: () => true,
      refreshDays: async () => {
        const failure = await steps.refreshDays(id, date, this.#clock());
        this.nowMs += stepMs;
        return { days: [], failure };
      },
      closeDay: async () => {
        const closed = steps.closeDay(id, date);
        this.#checker.closed(id, date, atMs, closed);
        return closed;
      },
      writePollLog: async (row) => void steps.store.insertPollLog({ ...row, slotsMissed: null }),
    });
    this.#verdicts.push(verdict);
    this.#loop.takeVerdict(verdict);
  }

  /** Each request is answered by a poll that began after it; one of a paused plant is refused. */
  #judgeRequests(): void {
    const served = this.#requests.filter(({ number }) => this.#loop.isServed(number));
    if (served.length === 0) return;
    this.#requests = this.#requests.filter((request) => !served.includes(request));
    for (const { askedAtMs } of served)
      this.#checker.answered(this.life.id, askedAtMs, this.#loop.answer);
  }

  /** When the oldest request came that has no answer, ms; null: none. */
  get waitingSinceMs(): number | null {
    return this.#requests[0]?.askedAtMs ?? null;
  }

  /** What the fleet's reconciliation does for a plant that is not polled. */
  #choreOfPaused(): { kind: 'UNPAUSE' | 'REMIND'; atMs: number } {
    const { pausedUntilMs, integrationStatus } = this.#steps.store.findPlant(this.life.id);
    if (integrationStatus === 'ACTIVE') return { kind: 'REMIND', atMs: Infinity };
    const remindMs = Math.max(this.nowMs, this.#remindedAtMs + remindEveryMs);
    const unpauseMs =
      pausedUntilMs === null
        ? Infinity
        : Math.ceil(pausedUntilMs / reconcileEveryMs) * reconcileEveryMs;
    return unpauseMs <= remindMs
      ? { kind: 'UNPAUSE', atMs: Math.max(this.nowMs, unpauseMs) }
      : { kind: 'REMIND', atMs: remindMs };
  }

  #doChore({ kind, atMs }: { kind: 'UNPAUSE' | 'REMIND'; atMs: number }): void {
    const { id } = this.life;
    this.nowMs = Math.max(this.nowMs, atMs);
    if (kind === 'UNPAUSE') {
      this.#steps.store.resumePlant(id, this.nowMs);
      this.#loop.lookAgain();
      return;
    }
    this.#remindedAtMs = this.nowMs;
    const changes = this.#steps.evaluatePlant(id, this.nowMs, null, null);
    this.#checker.evaluated(id, this.nowMs, changes, null);
    this.nowMs += stepMs;
  }

  #pass(ms: number): void {
    this.nowMs += ms;
    this.#meanwhile(this.nowMs);
  }

  #committed(step: string, slotMs: number): void {
    this.#pass(stepMs);
    const { crashShare } = this.#world;
    if (crashShare > 0 && randomOf(this.life.id, step, slotMs, this.#run).chance(crashShare))
      throw new Crash(step);
  }

  #clock(): number {
    const jump = this.#world.clockJumps.find((one) => isWithin(this.nowMs, one));
    return Math.max(this.nowMs, this.nowMs + (jump?.offMs ?? 0));
  }
}
