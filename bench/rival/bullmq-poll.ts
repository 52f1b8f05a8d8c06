import { AsyncLocalStorage } from 'node:async_hooks';

import { ApplicationFailure } from '@temporalio/common';

import type {
  FetchResult,
  PlantActivities,
  WholePollArgs,
  WholePollResult,
} from '../../activities/plants/contract.ts';
import { createPlantActivities } from '../../activities/create.ts';
import type { CallContext } from '../../activities/deps.ts';
import type { ActivityDeps } from '../../activities/plants/deps.ts';
import type { Booked, BookedPoll } from '../../domain/plants/changes.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';

export interface JobPoll {
  jobId: string;
  plantId: string;
  slotMs: number;
  intervalMs: number;
  /** From 1. */
  attempt: number;
}

const ledger = { trigger: 'SCHEDULE', requestedAtMs: null } as const;

/** The vendor failed in a way that is worth another attempt: BullMQ makes it. */
export class WorthAnotherAttempt extends Error {
  override readonly name = 'WorthAnotherAttempt';
}

/** The steps of a poll as jobs take them: one set a process, as in Heliograph's worker, so that polls share statements. */
export interface JobActivities {
  activities: PlantActivities;
  /** Runs with the job as what asks. `isLocal`: as Heliograph's local steps, in company and within their 2 s for the vendor. */
  forJob<Result>(jobId: string, isLocal: boolean, run: () => Promise<Result>): Promise<Result>;
}

export function createJobActivities(deps: ActivityDeps): JobActivities {
  const calls = new AsyncLocalStorage<CallContext>();
  const activities = createPlantActivities(deps, () => {
    const call = calls.getStore();
    if (call === undefined) throw new Error('an activity runs for a job');
    return call;
  });
  return {
    activities,
    forJob(workflowId, isLocal, run) {
      const { signal } = new AbortController();
      // Its lock is renewed by BullMQ itself.
      return calls.run({ workflowId, runId: 'bullmq', isLocal, signal, heartbeat: () => {} }, run);
    },
  };
}

/**
 * One poll as a job: the same steps as in Heliograph's loop, by the same functions, so with the same statements.
 *
 * @throws WorthAnotherAttempt
 */
export async function pollByJob(jobs: JobActivities, poll: JobPoll): Promise<void> {
  const { plantId, slotMs, intervalMs } = poll;
  const nowMs = Date.now();
  const key = { plantId, slotMs, intervalMs, nowMs, ...ledger };
  const whole = await jobs.forJob(poll.jobId, true, () => pollWhole(jobs.activities, key));
  if (whole?.kind === 'ENDED') return;
  const begun = whole?.kind === 'FETCHED' ? whole.fetched : null;
  await jobs.forJob(poll.jobId, false, () => pollInSteps(jobs.activities, poll, begun, nowMs));
}

/** As in Heliograph's loop, null where it did not finish: the vendor hangs, and is asked again with more time. */
async function pollWhole(
  activities: PlantActivities,
  args: Omit<WholePollArgs, 'missed'>,
): Promise<WholePollResult | null> {
  try {
    return await activities.pollWhole({ ...args, missed: null });
  } catch (error) {
    if (error instanceof ApplicationFailure) return null;
    throw error;
  }
}

async function pollInSteps(
  activities: PlantActivities,
  poll: JobPoll,
  begun: FetchResult | null,
  startedAtMs: number,
): Promise<void> {
  const { plantId, slotMs, intervalMs, attempt } = poll;
  const result =
    begun ?? (await activities.fetchReadings({ plantId, slotMs, intervalMs, nowMs: Date.now() }));
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
