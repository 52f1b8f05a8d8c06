import { AsyncLocalStorage } from 'node:async_hooks';

import type { FetchResult, PlantActivities } from '../../activities/contract.ts';
import { createPlantActivities } from '../../activities/create.ts';
import type { ActivityDeps, CallContext } from '../../activities/deps.ts';
import type { Booked, BookedPoll } from '../../domain/changes.ts';
import { afterAttempt } from '../../domain/retry.ts';

export interface JobPoll {
  jobId: string;
  plantId: string;
  slotMs: number;
  intervalMs: number;
  /** From 1. */
  attempt: number;
}

/** The vendor failed in a way that is worth another attempt: BullMQ makes it. */
export class WorthAnotherAttempt extends Error {
  override readonly name = 'WorthAnotherAttempt';
}

/** The steps of a poll as jobs take them: one set a process, as in Heliograph's worker, so that polls share statements. */
export interface JobActivities {
  activities: PlantActivities;
  /** Runs with the job as what asks. */
  forJob<Result>(jobId: string, run: () => Promise<Result>): Promise<Result>;
}

export function createJobActivities(deps: ActivityDeps): JobActivities {
  const calls = new AsyncLocalStorage<CallContext>();
  const activities = createPlantActivities(deps, () => {
    const call = calls.getStore();
    if (call === undefined) throw new Error('an activity runs for a job');
    return call;
  });
  const { signal } = new AbortController();
  return {
    activities,
    forJob: (workflowId, run) =>
      // Its lock is renewed by BullMQ itself.
      calls.run({ workflowId, runId: 'bullmq', isLocal: false, signal, heartbeat: () => {} }, run),
  };
}

/**
 * One poll as a job: the same steps as in Heliograph's loop, by the same functions, so with the same statements.
 *
 * @throws WorthAnotherAttempt
 */
export async function pollByJob(
  { activities, forJob }: JobActivities,
  poll: JobPoll,
): Promise<void> {
  return forJob(poll.jobId, () => pollNow(activities, poll));
}

async function pollNow(activities: PlantActivities, poll: JobPoll): Promise<void> {
  const { plantId, slotMs, intervalMs, attempt } = poll;
  const startedAtMs = Date.now();
  const key = { plantId, slotMs, intervalMs, nowMs: startedAtMs };
  const ledger = { trigger: 'SCHEDULE', requestedAtMs: null } as const;
  const whole = await activities.pollWhole({ ...key, ...ledger, missed: null });
  if (whole.kind === 'ENDED') return;
  const result = whole.kind === 'FETCHED' ? whole.fetched : await activities.fetchReadings(key);
  if (result.kind === 'VENDOR_FAILURE' && result.asked) {
    const isWorthIt = afterAttempt(result.failure, attempt).next === 'RETRY';
    if (isWorthIt) throw new WorthAnotherAttempt(result.failure.type);
  }
  const booked = await book(activities, poll, startedAtMs, result);
  await activities.writePollLog({ plantId, slotMs, jobType: 'POLL', ...ledger, ...booked });
}

type Row = Pick<BookedPoll, 'errorType' | 'error' | 'attempts'> & {
  outcome: BookedPoll['outcome'] | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE';
  startedAtMs: number | null;
  durationMs: number | null;
  booked: Booked | null;
};

async function book(
  activities: PlantActivities,
  { plantId, slotMs, attempt }: JobPoll,
  startedAtMs: number,
  result: FetchResult,
): Promise<Row> {
  if (result.kind === 'ALREADY_BOOKED') return result.poll;
  if (result.kind !== 'READING' && result.kind !== 'VENDOR_FAILURE') {
    const nothing = { durationMs: null, attempts: 0, errorType: null, error: null, booked: null };
    return { outcome: result.kind, startedAtMs: null, ...nothing };
  }
  const { nowMs, durationMs, credentialsVersion } = result;
  let booked: Booked | null = null;
  if (result.kind === 'READING') {
    const { reading } = result;
    const snapshot = await activities.upsertSnapshot({ plantId, slotMs, nowMs, reading });
    booked = snapshot.booked;
    const dates = snapshot.gaps;
    if (dates.length > 0)
      await activities.backfillDays({ plantId, dates, nowMs, source: 'BACKFILL' });
  }
  const { poll } = await activities.reconcileAlerts({
    plantId,
    slotMs,
    nowMs,
    startedAtMs,
    durationMs,
    attempts: attempt,
    result:
      result.kind === 'READING'
        ? { kind: 'READING', reading: result.reading }
        : { kind: 'FAILURE', failure: result.failure },
    credentialsVersion,
    booked,
  });
  return poll;
}
