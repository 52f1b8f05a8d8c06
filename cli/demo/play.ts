import type { FetchResult, PlantActivities } from '../../activities/plants/contract.ts';
import type { Booked, BookedPoll } from '../../domain/plants/changes.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';
import { type Grid, nextSlotAfter } from '../../domain/slots.ts';
import type { PollCourse } from '../../workflows/plants/messages.ts';

/**
 * Plays a plant's past through the production activities on a virtual clock: the same fetch, snapshot, alerts, closings and
 * ledger, without a workflow and without waiting.
 */

export interface Player {
  activities: PlantActivities;
  /** Sets the clock that the activities read. */
  setClock(ms: number): void;
  /** As a loop's; WHOLE unless said. */
  course?: PollCourse;
}

/** Polls every slot and makes every closing of the plant after `fromMs` up to `toMs`. */
export async function playPlant(
  player: Player,
  plantId: string,
  fromMs: number,
  toMs: number,
): Promise<void> {
  let nowMs = fromMs;
  // Apart from the clock: a closing may fall on a slot's very millisecond.
  let polledMs = fromMs;
  let plan = await look();
  while (plan.kind === 'PLAN') {
    const grid: Grid = { intervalMs: plan.intervalMs, phaseMs: plan.phaseMs };
    const slotMs =
      plan.integrationStatus === 'ACTIVE'
        ? nextSlotAfter(grid, Math.max(polledMs, plan.periodFromMs - 1))
        : Infinity;
    const closing = plan.nextClosing;
    const atMs = Math.min(slotMs, closing?.atMs ?? Infinity);
    if (atMs > toMs) return;
    nowMs = atMs;
    player.setClock(nowMs);
    if (closing !== null && closing.atMs <= slotMs) {
      await playClosing(player.activities, plantId, closing, plan.revision);
      plan = await look();
      continue;
    }
    const revision = await playPoll(player, plantId, slotMs, grid.intervalMs);
    polledMs = slotMs;
    if (revision !== null && revision !== plan.revision) plan = await look();
  }

  async function look() {
    player.setClock(nowMs);
    return player.activities.planPlant({ plantId, nowMs });
  }
}

/** @returns the revision that the alert step saw; null where it did not run. */
async function playPoll(
  { activities, course = 'WHOLE' }: Player,
  plantId: string,
  slotMs: number,
  intervalMs: number,
): Promise<number | null> {
  let begun: FetchResult | null = null;
  if (course === 'WHOLE') {
    const whole = await activities.pollWhole({
      plantId,
      slotMs,
      intervalMs,
      nowMs: slotMs,
      trigger: 'SCHEDULE',
      requestedAtMs: null,
      missed: null,
    });
    if (whole.kind === 'ENDED') return whole.standing.revision;
    if (whole.kind === 'FETCHED') begun = whole.fetched;
  }
  const { result, attempts } = await fetchAll(activities, plantId, slotMs, intervalMs, begun);
  const key = { plantId, slotMs } as const;
  const row = { ...key, jobType: 'POLL', trigger: 'SCHEDULE', requestedAtMs: null } as const;
  if (result.kind !== 'READING' && result.kind !== 'VENDOR_FAILURE') {
    const outcome = result.kind === 'ALREADY_BOOKED' ? result.poll.outcome : result.kind;
    const poll: Partial<BookedPoll> = result.kind === 'ALREADY_BOOKED' ? result.poll : {};
    await activities.writePollLog({
      ...row,
      outcome,
      startedAtMs: poll.startedAtMs ?? null,
      durationMs: poll.durationMs ?? null,
      attempts: poll.attempts ?? 0,
      errorType: poll.errorType ?? null,
      error: poll.error ?? null,
      booked: poll.booked ?? null,
    });
    return null;
  }
  let booked: Booked | null = null;
  if (result.kind === 'READING') {
    const snapshot = await activities.upsertSnapshot({
      ...key,
      nowMs: result.nowMs,
      reading: result.reading,
    });
    booked = snapshot.booked;
    if (snapshot.gaps.length > 0)
      await activities.backfillDays({
        plantId,
        dates: snapshot.gaps,
        nowMs: result.nowMs,
        source: 'BACKFILL',
      });
  }
  const { poll, revision } = await activities.reconcileAlerts({
    ...key,
    nowMs: result.nowMs,
    startedAtMs: slotMs,
    durationMs: result.durationMs,
    attempts,
    result:
      result.kind === 'READING'
        ? { kind: 'READING', reading: result.reading }
        : { kind: 'FAILURE', failure: result.failure },
    credentialsVersion: result.credentialsVersion,
    booked,
  });
  await activities.writePollLog({
    ...row,
    outcome: poll.outcome,
    startedAtMs: poll.startedAtMs,
    durationMs: poll.durationMs,
    attempts: poll.attempts,
    errorType: poll.errorType,
    error: poll.error,
    booked: poll.booked,
  });
  return revision;
}

async function fetchAll(
  activities: PlantActivities,
  plantId: string,
  slotMs: number,
  intervalMs: number,
  begun: FetchResult | null,
): Promise<{ result: FetchResult; attempts: number }> {
  for (let attempts = 1, first = begun; ; attempts += 1, first = null) {
    const result =
      first ?? (await activities.fetchReadings({ plantId, slotMs, intervalMs, nowMs: slotMs }));
    if (result.kind !== 'VENDOR_FAILURE') return { result, attempts };
    if (!result.asked) return { result, attempts: attempts - 1 };
    if (afterAttempt(result.failure, attempts).next === 'DONE') return { result, attempts };
  }
}

async function playClosing(
  activities: PlantActivities,
  plantId: string,
  closing: { date: string; atMs: number },
  revision: number,
): Promise<void> {
  const { date, atMs } = closing;
  const { failure } = await activities.refreshDays({ plantId, date, nowMs: atMs });
  const verdict = await activities.closeDay({ plantId, date, nowMs: atMs });
  await activities.writePollLog({
    plantId,
    slotMs: atMs,
    jobType: 'DAILY',
    trigger: 'SCHEDULE',
    outcome: failure === null ? 'OK' : 'PARTIAL',
    startedAtMs: atMs,
    requestedAtMs: null,
    durationMs: 0,
    attempts: 1,
    errorType: failure?.type ?? null,
    error: failure?.message ?? (verdict.severity === null ? verdict.note : null),
    booked: null,
  });
  await activities.evaluatePlant({ plantId, nowMs: atMs, revision, closing: verdict });
}
