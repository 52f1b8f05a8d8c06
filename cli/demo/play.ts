import type { PlantActivities, PollCourse } from '../../activities/plants/contract.ts';
import { nextDue, stateOfPlan } from '../../workflows/plants/decisions.ts';
import { makeClosing } from '../../workflows/plants/closing.ts';
import { type PollEffects, pollPlant } from '../../workflows/plants/poll.ts';

/**
 * Plays a plant's past through the production activities on a virtual clock: the same fetch, snapshot, alerts, closings and
 * ledger, without a workflow and without waiting.
 */

export interface Player {
  activities: PlantActivities;
  /** Sets the clock that the activities read. */
  setClock(ms: number): void;
  /** The course of a poll; WHOLE if absent. */
  course?: PollCourse;
  /** Aborted: the play ends before the next poll, with the signal's reason as its error. */
  signal?: AbortSignal | undefined;
}

/** Runs every poll and every closing of the plant after `fromMs` up to `toMs`. */
export async function playPlant(
  player: Player,
  plantId: string,
  fromMs: number,
  toMs: number,
): Promise<void> {
  let nowMs = fromMs;
  // Not the clock: a closing may fall on the same millisecond as a slot.
  let polledMs = fromMs;
  let plan = await look();
  while (plan.kind === 'PLAN') {
    player.signal?.throwIfAborted();
    const state = { ...stateOfPlan(plan, null), lastSlotMs: polledMs };
    const known = { state, missedClosings: [], isStartDue: false, isAsked: false, earlyMs: 0 };
    const due = nextDue(known, nowMs);
    if (due.kind === 'NOTHING' || due.atMs > toMs) return;
    nowMs = due.atMs;
    player.setClock(nowMs);
    const { revision } = plan;
    if (due.kind === 'CLOSING') {
      const effects = { ...effectsAt(player, nowMs), ...player.activities };
      const verdict = await makeClosing(plantId, due.closing, effects);
      await player.activities.evaluatePlant({ plantId, nowMs, revision, closing: verdict });
      plan = await look();
      continue;
    }
    const seen = await playPoll(player, plantId, due.atMs, plan.intervalMs);
    polledMs = due.atMs;
    if (seen !== null && seen !== revision) plan = await look();
  }

  async function look() {
    player.setClock(nowMs);
    return player.activities.planPlant({ plantId, nowMs });
  }
}

/** @returns the revision that the alert step saw; null if that step did not run. */
async function playPoll(
  player: Player,
  plantId: string,
  slotMs: number,
  intervalMs: number,
): Promise<number | null> {
  const end = await pollPlant(
    {
      plantId,
      slotMs,
      intervalMs,
      trigger: 'SCHEDULE',
      course: player.course ?? 'WHOLE',
      path: 'LOCAL_FIRST',
      requestedAtMs: null,
      requestId: undefined,
      missed: null,
      isPostponed: false,
    },
    effectsAt(player, slotMs),
  );
  return end?.standing?.revision ?? null;
}

/** Calls the activities directly, on a clock that stays at `nowMs` until a poll waits. */
function effectsAt({ activities, setClock }: Player, nowMs: number): PollEffects {
  let clockMs = nowMs;
  return {
    nowMs: () => clockMs,
    sleep(ms) {
      clockMs += ms;
      setClock(clockMs);
      return Promise.resolve();
    },
    pollWhole: (args) => activities.pollWhole(args),
    fetchReadings: (args) => activities.fetchReadings(args),
    steps: () => activities,
    // Every error ends the play, so there is nothing to log.
    endsPoll: () => true,
    log: { warn: () => {}, error: () => {} },
  };
}
