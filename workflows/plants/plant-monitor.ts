import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  ContinueAsNew,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';

import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';

import type { Closing, MissedSlots, PlantStanding } from '../../activities/plants/contract.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import type { IntegrationStatus, Trigger } from '../../domain/plants/plant.ts';
import {
  catchUpWaitMsMax,
  type Grid,
  isLate,
  type LateSlots,
  lateSlots,
  nextSlotAfter,
} from '../../domain/slots.ts';
import { closeDay } from './daily-close.ts';
import {
  type LoopState,
  type MonitorInput,
  dailyWorkflowId,
  dayClosedSignal,
  pauseSignal,
  plantChangedSignal,
  plantStateQuery,
  pollNowSignal,
  notedPollNowUpdate,
  resumeSignal,
  type PlantState,
  type PollAnswer,
} from './messages.ts';
import { currentDetails } from './current-details.ts';
import { pollPlant } from './poll.ts';
import { step, wokenEarlyMsMax } from './steps.ts';

const plantStatusKey = defineSearchAttributeKey('PlantStatus', SearchAttributeType.KEYWORD);

/** Short runs: a worker that starts cold replays each plant's run once, at one or two ms for each poll in it. */
const pollsPerRunDefault = 16;
/** Temporal takes 10,000 signals and 2,000 updates a run: a burst is followed by a new run, so that pause is still heard. */
const messagesPerRunMax = 500;
/**
 * Local steps hold their workflow task, and Temporal fails a task during which more than 100 messages came, again and again.
 * While more requests than this wait, steps are regular from the start: those hold no task.
 */
const crowdedRequests = 3;
/** Requests that keep coming faster than this many a pause are one burst, and a burst is one poll: it waits for its end. */
const burstRequests = 10;
const burstPauseMs = 1_000;
/** As the ledger takes it. */
const requestIdLengthMax = 64;
/** After an error that is ours, the loop waits this long before it goes on: it never fails and never spins. */
const ownErrorWaitMs = 30_000;
/** A poll is woken at most by this part of its interval before its slot. */
const wokenEarlyPart = 1 / 8;
/** What is counted of a loop's lag: at most so much, so that a worker's wrong clock changes little, and this part of an interval. */
const lagMsMax = 2_500;
const lagPart = 1 / 4;

/** What is to be done next, and when. */
type Due =
  | { kind: 'SLOT'; atMs: number }
  | { kind: 'START'; atMs: number }
  | { kind: 'MANUAL'; atMs: number }
  | { kind: 'CLOSING'; atMs: number; closing: Closing }
  | { kind: 'NOTHING' };

/**
 * One plant's loop: waits for its slot, polls, waits again; for ever. Handlers only set flags; the loop does the work, one
 * thing at a time, in the order of time.
 */
export async function monitorPlant(input: MonitorInput): Promise<void> {
  const { plantId, brand } = input;
  const pollsPerRun = input.pollsPerRun ?? pollsPerRunDefault;
  const course = input.course ?? 'STEPS';
  const earlyMsMax = course === 'WHOLE' ? (input.wokenEarlyMs ?? wokenEarlyMsMax) : 0;
  let state: LoopState | null = input.state ?? null;

  let lookAgain = state === null;
  let startDue = false;
  let missedClosings: Closing[] = [];
  let polling: number | null = null;
  let pollsInRun = 0;
  let messagesInRun = 0;
  /** Requests are numbered; a poll serves those that were there when it began. */
  let requested = 0;
  let served = 0;
  let requestedAtMs: number | null = null;
  /** Of the newest request that brought one. */
  let requestId: string | undefined;
  /** What the newest served requests are answered with; null: the plant is not polled. */
  let servedWith: PollAnswer | null = null;
  /** False once this workflow task has carried a poll. */
  let freshTask = true;
  /** True after something that was due: a loop whose polls are always late still hears its people and changes runs. */
  let othersFirst = false;
  let integrationWish: 'ACTIVE' | 'DISABLED_BY_OPERATOR' | null = null;
  let verdicts: ClosingVerdict[] = [];
  /**
   * How far this loop's time was behind the worker's clock when its last poll ended. Its time stands still while a workflow
   * task waits for a busy worker, but a timer runs from the end of the task: it would fire late by as much.
   */
  let lagMs = 0;

  const active = () => state?.integrationStatus === 'ACTIVE';
  const asked = () => requested > served;
  const flagged = () => lookAgain || asked() || integrationWish !== null || verdicts.length > 0;

  const ask = (): number => {
    requestedAtMs ??= Date.now();
    requested += 1;
    messagesInRun += 1;
    return requested;
  };

  setHandler(pollNowSignal, () => void ask(), { description: 'Poll at once.' });
  setHandler(
    notedPollNowUpdate,
    async (note) => {
      const ticket = ask();
      requestId = note?.request_id ?? requestId;
      await condition(() => served >= ticket);
      if (servedWith === null) throw notActive(plantId, state?.integrationStatus ?? null);
      return servedWith;
    },
    {
      description: "Poll at once and answer with that poll's outcome.",
      validator: (note) => {
        if (!isRequestNote(note)) {
          throw ApplicationFailure.nonRetryable(
            `pollNow takes nothing, or {"request_id": "1 to ${requestIdLengthMax} characters"}`,
            'INVALID_INPUT',
          );
        }
        // Before the first look nothing is known: the loop answers then.
        if (state !== null && !active() && !lookAgain)
          throw notActive(plantId, state.integrationStatus);
      },
    },
  );
  setHandler(pauseSignal, () => void (integrationWish = 'DISABLED_BY_OPERATOR'), {
    description: 'Stop polling until resumed.',
  });
  setHandler(resumeSignal, () => void (integrationWish = 'ACTIVE'), {
    description: 'Poll again, at once.',
  });
  setHandler(plantChangedSignal, () => void (lookAgain = true), {
    description: 'The row of the plant changed: look again.',
  });
  setHandler(dayClosedSignal, (verdict) => void verdicts.push(verdict), {
    description: 'A day was closed.',
  });
  setHandler(plantStateQuery, () => plantState(), {
    description: 'What the loop knows of its plant.',
  });

  for (;;) {
    try {
      if (await turn()) return;
    } catch (error) {
      // Continue-as-new leaves a workflow as an error.
      if (isCancellation(error) || error instanceof ContinueAsNew) throw error;
      log.error('the loop met an error of its own and goes on', { plantId, error });
      await sleep(ownErrorWaitMs);
      lookAgain = true;
    }
  }

  /** One thing at a time. True when the plant is gone. */
  async function turn(): Promise<boolean> {
    const due = nextDue();
    if (!othersFirst && due.kind !== 'NOTHING' && due.atMs <= Date.now() && state !== null) {
      othersFirst = true;
      await doDue(due, state);
      return false;
    }
    othersFirst = false;
    if (integrationWish !== null) {
      const to = integrationWish;
      integrationWish = null;
      await step('setIntegration', { plantId, to, nowMs: Date.now() });
      lookAgain = true;
    }
    if (lookAgain) return look();
    const verdict = verdicts.shift();
    if (verdict !== undefined && state !== null) {
      await evaluate(state, verdict);
      return false;
    }
    const runIsFull =
      pollsInRun >= pollsPerRun ||
      messagesInRun >= messagesPerRunMax ||
      workflowInfo().continueAsNewSuggested;
    // What the next run would not know of is done in this one.
    if (state !== null && runIsFull && !startDue && missedClosings.length === 0) {
      // In a workflow task of its own, and never while somebody waits for the loop.
      await sleep(1);
      freshTask = true;
      if (!flagged() && allHandlersFinished()) await continueAsNew(state);
      // Somebody asked, or waits: that comes first, then again.
      return false;
    }
    showDetails();
    // Nobody else wanted a turn.
    if (due.kind !== 'NOTHING' && due.atMs <= Date.now()) return false;
    if (due.kind === 'NOTHING') await condition(flagged);
    else
      await condition(flagged, Math.max(1, due.atMs - Date.now()), {
        summary: due.kind === 'CLOSING' ? 'closing' : 'slot',
      });
    freshTask = true;
    return false;
  }

  /** The earliest of slot, closing and request. */
  function nextDue(): Due {
    if (state === null) return { kind: 'NOTHING' };
    const closing = missedClosings[0] ?? state.nextClosing;
    let due: Due =
      closing === null || closing === undefined
        ? { kind: 'NOTHING' }
        : { kind: 'CLOSING', atMs: closing.atMs, closing };
    if (!active()) {
      if (asked()) refuseRequests();
      return due;
    }
    const slotMs = nextSlotAfter(
      state.grid,
      Math.max(state.lastSlotMs ?? 0, state.periodFromMs - 1),
    );
    const wakeMs = slotMs - earlyMs(state.grid);
    if (due.kind === 'NOTHING' || wakeMs < due.atMs) due = { kind: 'SLOT', atMs: wakeMs };
    if (startDue && slotMs > Date.now()) return { kind: 'START', atMs: Date.now() };
    if (asked() && due.atMs > Date.now()) return { kind: 'MANUAL', atMs: Date.now() };
    return due;
  }

  /** How long before its slot a poll is woken; short intervals leave room for the poll before. */
  function earlyMs({ intervalMs }: Grid): number {
    const lag = Math.min(lagMs, Math.floor(intervalMs * lagPart));
    return lag + Math.min(earlyMsMax, Math.floor(intervalMs * wokenEarlyPart));
  }

  function refuseRequests(): void {
    served = requested;
    servedWith = null;
    requestedAtMs = null;
    requestId = undefined;
  }

  async function doDue(due: Exclude<Due, { kind: 'NOTHING' }>, now: LoopState): Promise<void> {
    switch (due.kind) {
      case 'CLOSING':
        return startClosing(due.closing, now);
      case 'SLOT':
        return pollSlot(now);
      case 'START':
        return pollOffGrid(now, 'START');
      case 'MANUAL':
        if (await burstGoesOn()) return;
        // A slot that came up meanwhile comes first: a poll off the grid that begins after it would pass it over. (Runs in
        // single steps began before this was known, and replay as they went.)
        if (course === 'WHOLE' && nextDue().kind !== 'MANUAL') return;
        await pollOffGrid(now, 'MANUAL');
    }
  }

  /** True while requests come faster than polls can serve them: slots and people have their turn before the poll. */
  async function burstGoesOn(): Promise<boolean> {
    if (requested - served <= burstRequests) return false;
    const before = requested;
    await sleep(burstPauseMs);
    freshTask = true;
    return requested - before > burstRequests;
  }

  /**
   * A poll off the grid is known by its start, which is always after the last poll's. That is settled in a workflow task of
   * its own: the one that polls may be repeated after a crash, at a later time, and must find what it has booked.
   */
  async function pollOffGrid(now: LoopState, trigger: 'START' | 'MANUAL'): Promise<void> {
    const startsAtMs = Math.max(Date.now(), (now.lastSlotMs ?? 0) + 1);
    await sleep(1);
    freshTask = true;
    await poll(now, startsAtMs, { trigger });
  }

  /** The newest due slot, after a wait where it is late; the older ones are written off as MISSED. */
  async function pollSlot(now: LoopState): Promise<void> {
    const dueSince = () =>
      lateSlots(
        now.grid,
        Math.max(now.lastSlotMs ?? 0, now.periodFromMs - 1),
        Date.now() + earlyMs(now.grid),
      );
    const late = dueSince();
    if (late === null) return;
    const isLateNow = isLate(now.grid, late.catchUp, Date.now());
    const catchingUp = late.missedCount > 0 || late.overflowCount > 0 || isLateNow;
    const trigger = catchingUp ? 'CATCH_UP' : 'SCHEDULE';
    const waits = isLateNow && catchUpWaitMsMax(now.grid, Date.now()) > 0;
    if (course === 'WHOLE') {
      // Also a poll that will wait is asked for, so that the history says which way the loop went: its time does not, where a
      // task ended long after it had begun (docs/decisions/0012).
      const how = { trigger, missed: missedOf(late), postpone: waits } as const;
      if (await poll(now, late.catchUp, how)) return;
      await waitForTurn(now);
      const slots = dueSince() ?? late;
      await poll(now, slots.catchUp, { trigger: 'CATCH_UP', missed: missedOf(slots) });
      return;
    }
    if (waits) await waitForTurn(now);
    const slots = dueSince() ?? late;
    const missed = missedOf(slots);
    if (missed !== null)
      await step('writeMissed', { plantId, intervalMs: now.grid.intervalMs, ...missed });
    await poll(now, slots.catchUp, { trigger });
  }

  /** After an outage all plants are late at once: each waits its own while, unless somebody asks for it. */
  async function waitForTurn({ grid }: LoopState): Promise<void> {
    const waitMsMax = catchUpWaitMsMax(grid, Date.now());
    await condition(asked, Math.max(1, Math.floor(Math.random() * waitMsMax)));
    freshTask = true;
  }

  /** @returns whether it was polled; false only where it was postponed. */
  async function poll(
    now: LoopState,
    slotMs: number,
    how: { trigger: Trigger; missed?: MissedSlots | null; postpone?: boolean },
  ): Promise<boolean> {
    const { trigger, missed = null, postpone = false } = how;
    // No workflow task carries more than one poll: a crash loses the markers of one at most.
    if (!freshTask) await sleep(1);
    freshTask = false;
    // Whichever poll comes first after an activation is its START.
    startDue = false;
    const path = requested - served > crowdedRequests ? 'REGULAR' : 'LOCAL_FIRST';
    const serves = requested;
    const askedAtMs = requestedAtMs;
    requestedAtMs = null;
    const askedAs = requestId;
    requestId = undefined;
    polling = slotMs;
    let isOver = true;
    try {
      const end = await pollPlant({
        plantId,
        slotMs,
        trigger,
        requestedAtMs: askedAtMs,
        requestId: askedAs,
        intervalMs: now.grid.intervalMs,
        path,
        course,
        missed,
        postpone,
      });
      if (end === null) {
        isOver = false;
        requestedAtMs ??= askedAtMs;
        requestId ??= askedAs;
        return false;
      }
      const { answer, standing, endedAtMs } = end;
      now.lastPoll = answer;
      servedWith = answer;
      const lag = endedAtMs === null ? 0 : Math.max(0, endedAtMs - Date.now());
      lagMs = earlyMsMax > 0 ? Math.min(lag, lagMsMax) : 0;
      if (standing !== null) adopt(now, standing);
      if (answer.outcome === 'SKIPPED_INACTIVE') lookAgain = true;
      return true;
    } finally {
      polling = null;
      if (isOver) {
        now.lastSlotMs = slotMs;
        pollsInRun += 1;
        served = serves;
      }
    }
  }

  async function look(): Promise<boolean> {
    lookAgain = false;
    const plan = await step('planPlant', { plantId, nowMs: Date.now() });
    if (plan.kind === 'GONE') {
      log.info('the plant is gone: its loop ends', { plantId });
      refuseRequests();
      await condition(allHandlersFinished);
      return true;
    }
    const before: LoopState | null = state;
    const closedDate = before?.closedDate ?? null;
    state = {
      name: plan.name,
      integrationStatus: plan.integrationStatus,
      revision: plan.revision,
      grid: { intervalMs: plan.intervalMs, phaseMs: plan.phaseMs },
      periodFromMs: plan.periodFromMs,
      lastSlotMs: Math.max(plan.lastSlotMs ?? 0, before?.lastSlotMs ?? 0) || null,
      nextClosing: plan.nextClosing,
      closedDate,
      standing: before?.standing ?? null,
      lastPoll: before?.lastPoll ?? null,
    };
    startDue = plan.startDue;
    missedClosings = plan.missedClosings.filter(
      (closing) => closedDate === null || closing.date > closedDate,
    );
    // A change by people changes the colour at once; a start is followed by a poll, which does.
    if (before === null || before.revision !== plan.revision) await evaluate(state, null);
    return false;
  }

  async function evaluate(now: LoopState, closing: ClosingVerdict | null): Promise<void> {
    adopt(
      now,
      await step('evaluatePlant', { plantId, nowMs: Date.now(), revision: now.revision, closing }),
    );
  }

  function adopt(now: LoopState, standing: PlantStanding): void {
    if (now.standing?.status !== standing.status) {
      upsertSearchAttributes([{ key: plantStatusKey, value: standing.status }]);
    }
    now.standing = standing;
    if (standing.revision !== now.revision) lookAgain = true;
  }

  async function startClosing(closing: Closing, now: LoopState): Promise<void> {
    try {
      await startChild(closeDay, {
        workflowId: dailyWorkflowId(plantId, closing.date),
        args: [{ plantId, date: closing.date, atMs: closing.atMs }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: `closing of ${closing.date}`,
      });
    } catch (error) {
      // Started before, by this loop or the one before it: that is what was wanted.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    now.closedDate =
      now.closedDate === null || closing.date > now.closedDate ? closing.date : now.closedDate;
    if (missedClosings[0]?.date === closing.date) missedClosings.shift();
    else lookAgain = true;
  }

  async function continueAsNew(now: LoopState): Promise<void> {
    const next = makeContinueAsNewFunc<typeof monitorPlant>({});
    const { wokenEarlyMs } = input;
    await next({
      v: 1,
      plantId,
      brand,
      pollsPerRun,
      course: input.course ?? 'WHOLE',
      ...(wokenEarlyMs === undefined ? {} : { wokenEarlyMs }),
      state: now,
    });
  }

  function showDetails(): void {
    setCurrentDetails(currentDetails(plantState()));
  }

  function plantState(): PlantState {
    const due =
      state !== null && active()
        ? nextSlotAfter(state.grid, Math.max(state.lastSlotMs ?? 0, state.periodFromMs - 1))
        : null;
    return {
      plant_id: plantId,
      brand,
      integration_status: state?.integrationStatus ?? null,
      interval_s: state === null ? null : state.grid.intervalMs / 1000,
      status: state?.standing?.status ?? null,
      status_reason: state?.standing?.statusReason ?? null,
      status_since: iso(state?.standing?.statusSinceMs ?? null),
      last_seen_at: iso(state?.standing?.lastSeenAtMs ?? null),
      open_alerts: state?.standing?.openAlerts ?? 0,
      next_slot: iso(due),
      next_closing: iso(state?.nextClosing?.atMs ?? null),
      polling: iso(polling),
      last_poll: state?.lastPoll ?? null,
      revision: state?.revision ?? 0,
    };
  }
}

/** The late slots that are not polled any more; null where there are none. */
function missedOf(slots: LateSlots): MissedSlots | null {
  if (slots.missedCount === 0) return null;
  return {
    rows:
      slots.missedFromMs === null || slots.missedToMs === null
        ? null
        : { fromMs: slots.missedFromMs, toMs: slots.missedToMs },
    overflow:
      slots.overflowFromMs === null
        ? null
        : { slotMs: slots.overflowFromMs, slots: slots.overflowCount },
  };
}

/** Whoever sends it may send anything. */
function isRequestNote(note: unknown): boolean {
  if (note === undefined || note === null) return true;
  if (typeof note !== 'object') return false;
  const { request_id: id } = note as { request_id?: unknown };
  if (id === undefined) return true;
  return typeof id === 'string' && id.length >= 1 && id.length <= requestIdLengthMax;
}

function notActive(
  plantId: string,
  integrationStatus: IntegrationStatus | null,
): ApplicationFailure {
  const first =
    integrationStatus === 'PENDING_DOCS'
      ? 'set it ACTIVE when its documents are complete'
      : 'resume it first';
  return ApplicationFailure.nonRetryable(
    `plant ${plantId} is not polled: its integration_status is ${integrationStatus ?? 'not known yet'}; ${first}`,
    'NOT_ACTIVE',
  );
}

function iso(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
