import type {
  Closing,
  MissedArgs,
  PlantActivities,
  PlantStanding,
  PollCourse,
} from '../../activities/plants/contract.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import type { IntegrationStatus, Status } from '../../domain/plants/plant.ts';
import {
  dueSlotPoll,
  type Due,
  isBurst,
  isRunFull,
  lagOf,
  nextDue,
  nextSlot,
  offGridStart,
  postponedMs,
  type SlotPoll,
  stateOfPlan,
  wokenEarlyMs,
} from './decisions.ts';
import type { LoopState, MonitorInput, PlantState, PollAnswer } from './messages.ts';
import type { StepPath } from '../steps.ts';
import { NotBegun, type PollEnd, type PollRequest } from './poll.ts';

/**
 * One plant's loop, as steps over injected effects: the workflow runs it in Temporal, the simulation on a virtual clock.
 * Messages only set flags; the loop does the work, one thing at a time, in the order of time.
 */

/** A worker that starts cold replays each plant's run once, at one or two ms for each of its polls. */
const pollsPerRunDefault = 16;
/** A poll in one step wakes at most this long before its slot: time for a busy server and worker to reach the vendor call. */
const wokenEarlyMsDefault = 500;
/**
 * While more requests than this wait, a poll's steps are regular from the start. Local steps hold their workflow task, and
 * Temporal fails a task during which more than 100 messages came.
 */
const crowdedRequests = 3;
/** Requests are counted over this time to see whether a burst goes on. */
const burstPauseMs = 1_000;

/** What the loop needs of the world. Each wait of `sleep` and `waitUntil` ends the workflow task that it began in. */
export interface LoopEffects extends Pick<
  PlantActivities,
  'planPlant' | 'evaluatePlant' | 'setIntegration'
> {
  nowMs(): number;
  /** 0 … 1, different from loop to loop. */
  random(): number;
  sleep(ms: number): Promise<void>;
  /** Ends when `holds` is true, after `ms` at the latest. */
  waitUntil(holds: () => boolean, ms: number): Promise<void>;
  writeMissed(args: MissedArgs, path: StepPath): Promise<void>;
  /** The poll, from the vendor's answer to its row. null: postponed, nothing was done. @throws NotBegun */
  poll(request: PollRequest): Promise<PollEnd | null>;
  /** Starts the closing of a day; does nothing where it was started before. */
  startClosing(closing: Closing): Promise<void>;
  /** Shows the plant's state to people. */
  showDetails(state: PlantState): void;
  showStatus(status: Status): void;
  isHistoryLong(): boolean;
  /** False while somebody waits for an answer of this run. */
  areHandlersFinished(): boolean;
}

/** How a turn of the loop ended. */
export type Turn =
  /** Something was done: the next turn follows at once. */
  | { kind: 'DONE' }
  /** Nothing is due before `untilMs` (null: ever), unless `hasWork` says so. */
  | { kind: 'WAIT'; untilMs: number | null; dueKind: Due['kind'] }
  /** The run is full. */
  | { kind: 'NEW_RUN'; input: MonitorInput }
  /** The plant was removed or deleted. */
  | { kind: 'GONE' };

const done: Turn = { kind: 'DONE' };

/** Requests to poll. They are numbered; a poll serves those that came before it began. */
interface Requests {
  asked: number;
  served: number;
  /** When the oldest unserved one came, ms; null: none waits. */
  oldestAtMs: number | null;
  /** Of the newest unserved one that brought an id. */
  id: string | undefined;
  /** The answer to the newest served ones. null: the plant is not polled. */
  answer: PollAnswer | null;
}

export class PlantLoop {
  readonly #input: MonitorInput;
  readonly #effects: LoopEffects;
  #state: LoopState | null;
  /** The course of this run. A loop's first run takes the worker's setting with its first poll. */
  #course: PollCourse | undefined;
  /** The course of the next run: the worker's setting, as its last answer told it. */
  #nextCourse: PollCourse = 'WHOLE';
  #looksAgain: boolean;
  #isStartDue = false;
  #missedClosings: Closing[] = [];
  #verdicts: ClosingVerdict[] = [];
  #integrationWish: 'ACTIVE' | 'DISABLED_BY_OPERATOR' | null = null;
  readonly #requests: Requests = {
    asked: 0,
    served: 0,
    oldestAtMs: null,
    id: undefined,
    answer: null,
  };
  /** The slot of the poll that runs now. */
  #pollingMs: number | null = null;
  #pollsInRun = 0;
  #messagesInRun = 0;
  #lagMs = 0;
  /** False once this workflow task has carried a poll. */
  #isTaskFresh = true;
  /** True after a due thing was done: a loop that is always late still hears people and changes runs. */
  #othersFirst = false;

  constructor(input: MonitorInput, effects: LoopEffects) {
    this.#input = input;
    this.#effects = effects;
    this.#state = input.state ?? null;
    this.#looksAgain = this.#state === null;
    this.#course = input.v === 1 ? (input.course ?? 'STEPS') : input.course;
    if (input.course !== undefined) this.#nextCourse = input.course;
  }

  // Messages

  /** @returns the request's number. */
  ask(requestId?: string): number {
    this.#requests.oldestAtMs ??= this.#effects.nowMs();
    this.#requests.id = requestId ?? this.#requests.id;
    this.#messagesInRun += 1;
    return (this.#requests.asked += 1);
  }

  isServed(request: number): boolean {
    return this.#requests.served >= request;
  }

  /** The answer to served requests. null: the plant is not polled. */
  get answer(): PollAnswer | null {
    return this.#requests.answer;
  }

  wishIntegration(to: 'ACTIVE' | 'DISABLED_BY_OPERATOR'): void {
    this.#integrationWish = to;
  }

  /** The plant's row changed, or may have. */
  lookAgain(): void {
    this.#looksAgain = true;
  }

  takeVerdict(verdict: ClosingVerdict): void {
    this.#verdicts.push(verdict);
  }

  get integrationStatus(): IntegrationStatus | null {
    return this.#state?.integrationStatus ?? null;
  }

  /** False where a request would be refused. Before the first look, and with a change under way, nobody knows. */
  mayPoll(): boolean {
    return this.#state === null || this.#looksAgain || this.#state.integrationStatus === 'ACTIVE';
  }

  /** Whether something is to be done before the next due time. */
  hasWork(): boolean {
    return (
      this.#looksAgain ||
      this.#isAsked() ||
      this.#integrationWish !== null ||
      this.#verdicts.length > 0
    );
  }

  /** Does one thing. */
  async turn(): Promise<Turn> {
    const due = this.#nextDue();
    const isDue = due.kind !== 'NOTHING' && due.atMs <= this.#effects.nowMs();
    if (isDue && !this.#othersFirst && this.#state !== null) {
      this.#othersFirst = true;
      await this.#doDue(due, this.#state);
      return done;
    }
    this.#othersFirst = false;
    if (this.#integrationWish !== null) await this.#setIntegration(this.#integrationWish);
    if (this.#looksAgain || this.#state === null) return this.#look();
    const verdict = this.#verdicts.shift();
    if (verdict !== undefined) {
      await this.#evaluate(this.#state, verdict);
      return done;
    }
    if (this.#isRunOver()) return this.#changeRuns(this.#state);
    this.#effects.showDetails(this.plantState());
    // Nobody else wanted a turn.
    if (isDue) return done;
    this.#isTaskFresh = true;
    return { kind: 'WAIT', untilMs: due.kind === 'NOTHING' ? null : due.atMs, dueKind: due.kind };
  }

  #isAsked(): boolean {
    return this.#waiting() > 0;
  }

  #waiting(): number {
    return this.#requests.asked - this.#requests.served;
  }

  #nextDue(): Due {
    const state = this.#state;
    if (state === null) return { kind: 'NOTHING' };
    if (state.integrationStatus !== 'ACTIVE' && this.#isAsked()) this.#refuseRequests();
    const known = {
      state,
      missedClosings: this.#missedClosings,
      isStartDue: this.#isStartDue,
      isAsked: this.#isAsked(),
      earlyMs: this.#earlyMs(state),
    };
    return nextDue(known, this.#effects.nowMs());
  }

  #earlyMs({ grid }: LoopState): number {
    return wokenEarlyMs(grid, { lagMs: this.#lagMs, earlyMsMax: this.#earlyMsMax() });
  }

  /** Only a poll in one step waits for its slot itself. */
  #earlyMsMax(): number {
    return this.#courseNow() === 'WHOLE' ? (this.#input.wokenEarlyMs ?? wokenEarlyMsDefault) : 0;
  }

  #courseNow(): PollCourse {
    return this.#course ?? this.#nextCourse;
  }

  #refuseRequests(): void {
    const requests = this.#requests;
    requests.served = requests.asked;
    requests.answer = null;
    requests.oldestAtMs = null;
    requests.id = undefined;
  }

  async #doDue(due: Exclude<Due, { kind: 'NOTHING' }>, state: LoopState): Promise<void> {
    switch (due.kind) {
      case 'CLOSING':
        return this.#startClosing(due.closing, state);
      case 'SLOT':
        return this.#pollSlot(state);
      case 'START':
        return this.#pollOffGrid(state, 'START');
      case 'MANUAL':
        if (await this.#burstGoesOn()) return;
        // A slot that came up meanwhile comes first: a poll off the grid that begins after it would pass it over.
        if (!this.#isOldSteps() && this.#nextDue().kind !== 'MANUAL') return;
        await this.#pollOffGrid(state, 'MANUAL');
    }
  }

  /** True while requests come faster than polls can serve them: slots and people have their turn first. */
  async #burstGoesOn(): Promise<boolean> {
    if (!isBurst(this.#waiting())) return false;
    const before = this.#requests.asked;
    await this.#sleep(burstPauseMs);
    return isBurst(this.#requests.asked - before);
  }

  /**
   * Settles the start of a poll off the grid in a workflow task of its own: the one that polls may be repeated after a crash,
   * at a later time, and must find what it has booked.
   */
  async #pollOffGrid(state: LoopState, trigger: 'START' | 'MANUAL'): Promise<void> {
    const slotMs = offGridStart(state, this.#effects.nowMs());
    await this.#sleep(1);
    await this.#poll(state, { slotMs, trigger, missed: null, isPostponed: false });
  }

  /** The newest due slot; the older ones become MISSED. */
  async #pollSlot(state: LoopState): Promise<void> {
    const due = this.#dueSlotPoll(state);
    if (due === null) return;
    // A poll in one step is asked for even where it will wait, so that the history says which way the loop went: its time
    // does not, where a task ended long after it began (docs/decisions/0012).
    const isAskedFirst = this.#courseNow() === 'WHOLE' || !due.isPostponed;
    if (isAskedFirst && (await this.#pollDue(state, due))) return;
    const waitMs = postponedMs(state.grid, this.#effects.nowMs(), this.#effects.random());
    await this.#effects.waitUntil(() => this.#isAsked(), waitMs);
    this.#isTaskFresh = true;
    const slots = this.#dueSlotPoll(state) ?? due;
    await this.#pollDue(state, { ...slots, trigger: 'CATCH_UP', isPostponed: false });
  }

  /** In single steps the older slots become MISSED before the poll; a poll in one step writes them with its own row. */
  async #pollDue(state: LoopState, due: SlotPoll): Promise<boolean> {
    const { missed } = due;
    if (missed === null || this.#courseNow() === 'WHOLE') return this.#poll(state, due);
    const { plantId } = this.#input;
    const { intervalMs } = state.grid;
    await this.#effects.writeMissed({ plantId, intervalMs, ...missed }, this.#path());
    return this.#poll(state, { ...due, missed: null });
  }

  #dueSlotPoll(state: LoopState): SlotPoll | null {
    return dueSlotPoll(state, this.#effects.nowMs(), this.#earlyMs(state));
  }

  /** @returns whether it was polled; false only where the poll is postponed. */
  async #poll(
    state: LoopState,
    poll: Pick<PollRequest, 'slotMs' | 'trigger' | 'missed' | 'isPostponed'>,
  ): Promise<boolean> {
    // No workflow task carries more than one poll: a crash loses the markers of one at most.
    if (!this.#isTaskFresh) await this.#effects.sleep(1);
    this.#isTaskFresh = false;
    // The first poll after an activation is its START, whatever woke it.
    this.#isStartDue = false;
    const requests = this.#requests;
    const { asked: serves, oldestAtMs: requestedAtMs, id: requestId } = requests;
    const path = this.#path();
    this.#course ??= this.#nextCourse;
    requests.oldestAtMs = null;
    requests.id = undefined;
    this.#pollingMs = poll.slotMs;
    let isOver = true;
    try {
      const { plantId } = this.#input;
      const { intervalMs } = state.grid;
      const course = this.#courseNow();
      const asked = { requestedAtMs, requestId };
      const end = await this.#effects.poll({
        plantId,
        intervalMs,
        course,
        path,
        ...asked,
        ...poll,
      });
      if (end === null) {
        isOver = false;
        return false;
      }
      this.#adoptPoll(state, end);
      return true;
    } catch (error) {
      // The slot is still due, and the requests wait.
      if (error instanceof NotBegun) isOver = false;
      throw error;
    } finally {
      this.#pollingMs = null;
      if (isOver) {
        state.lastSlotMs = poll.slotMs;
        this.#pollsInRun += 1;
        requests.served = serves;
      } else {
        requests.oldestAtMs ??= requestedAtMs;
        requests.id ??= requestId;
      }
    }
  }

  #path(): StepPath {
    const isRegular = this.#courseNow() === 'STEPS' && !this.#isOldSteps();
    return isRegular || this.#waiting() > crowdedRequests ? 'REGULAR' : 'LOCAL_FIRST';
  }

  /** A run in single steps of version 1, which were local first. It replays as it went. */
  #isOldSteps(): boolean {
    return this.#input.v === 1 && this.#courseNow() === 'STEPS';
  }

  #adoptPoll(state: LoopState, { answer, standing, endedAtMs }: PollEnd): void {
    state.lastPoll = answer;
    this.#requests.answer = answer;
    this.#lagMs = this.#earlyMsMax() > 0 ? lagOf(endedAtMs, this.#effects.nowMs()) : 0;
    if (standing !== null) this.#adopt(state, standing);
    if (answer.outcome === 'SKIPPED_INACTIVE') this.#looksAgain = true;
  }

  async #setIntegration(to: 'ACTIVE' | 'DISABLED_BY_OPERATOR'): Promise<void> {
    this.#integrationWish = null;
    const { plantId } = this.#input;
    await this.#effects.setIntegration({ plantId, to, nowMs: this.#effects.nowMs() });
    this.#looksAgain = true;
  }

  /** Reads what PostgreSQL wants of the loop. */
  async #look(): Promise<Turn> {
    this.#looksAgain = false;
    const { plantId } = this.#input;
    const plan = await this.#effects.planPlant({ plantId, nowMs: this.#effects.nowMs() });
    if (plan.kind === 'GONE') {
      this.#refuseRequests();
      return { kind: 'GONE' };
    }
    const before = this.#state;
    const state = stateOfPlan(plan, before);
    this.#state = state;
    this.#isStartDue = plan.startDue;
    this.#missedClosings = plan.missedClosings.filter(
      ({ date }) => state.closedDate === null || date > state.closedDate,
    );
    // A change by people changes the colour at once; a start is followed by a poll, which does.
    if (before === null || before.revision !== plan.revision) await this.#evaluate(state, null);
    return done;
  }

  async #evaluate(state: LoopState, closing: ClosingVerdict | null): Promise<void> {
    const { plantId } = this.#input;
    const { revision } = state;
    const nowMs = this.#effects.nowMs();
    this.#adopt(state, await this.#effects.evaluatePlant({ plantId, nowMs, revision, closing }));
  }

  #adopt(state: LoopState, standing: PlantStanding): void {
    if (state.standing?.status !== standing.status) this.#effects.showStatus(standing.status);
    state.standing = standing;
    this.#nextCourse = standing.course ?? 'WHOLE';
    if (standing.revision !== state.revision) this.#looksAgain = true;
  }

  async #startClosing(closing: Closing, state: LoopState): Promise<void> {
    await this.#effects.startClosing(closing);
    const { date } = closing;
    if (state.closedDate === null || date > state.closedDate) state.closedDate = date;
    if (this.#missedClosings[0]?.date === date) this.#missedClosings.shift();
    else this.#looksAgain = true;
  }

  /** What the next run would not know of is done in this one. */
  #isRunOver(): boolean {
    const run = {
      polls: this.#pollsInRun,
      messages: this.#messagesInRun,
      isHistoryLong: this.#effects.isHistoryLong(),
    };
    const isFull = isRunFull(run, this.#input.pollsPerRun ?? pollsPerRunDefault);
    return isFull && !this.#isStartDue && this.#missedClosings.length === 0;
  }

  /** In a workflow task of its own, and never while somebody waits for the loop. */
  async #changeRuns(state: LoopState): Promise<Turn> {
    await this.#sleep(1);
    if (this.hasWork() || !this.#effects.areHandlersFinished()) return done;
    const { plantId, brand, pollsPerRun, wokenEarlyMs: earlyMs } = this.#input;
    const input: MonitorInput = {
      v: 2,
      plantId,
      brand,
      course: this.#nextCourse,
      ...(pollsPerRun === undefined ? {} : { pollsPerRun }),
      ...(earlyMs === undefined ? {} : { wokenEarlyMs: earlyMs }),
      state,
    };
    return { kind: 'NEW_RUN', input };
  }

  async #sleep(ms: number): Promise<void> {
    await this.#effects.sleep(ms);
    this.#isTaskFresh = true;
  }

  /** What the loop knows of its plant. */
  plantState(): PlantState {
    const { plantId: plant_id, brand } = this.#input;
    const state = this.#state;
    const slotMs = state?.integrationStatus === 'ACTIVE' ? nextSlot(state) : null;
    const standing = state?.standing ?? null;
    return {
      plant_id,
      brand,
      integration_status: state?.integrationStatus ?? null,
      interval_s: state === null ? null : state.grid.intervalMs / 1000,
      status: standing?.status ?? null,
      status_reason: standing?.statusReason ?? null,
      status_since: iso(standing?.statusSinceMs ?? null),
      last_seen_at: iso(standing?.lastSeenAtMs ?? null),
      open_alerts: standing?.openAlerts ?? 0,
      next_slot: iso(slotMs),
      next_closing: iso(state?.nextClosing?.atMs ?? null),
      polling: iso(this.#pollingMs),
      last_poll: state?.lastPoll ?? null,
      revision: state?.revision ?? 0,
    };
  }
}

function iso(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
