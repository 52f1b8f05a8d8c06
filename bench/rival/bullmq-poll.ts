import { AsyncLocalStorage } from 'node:async_hooks';

import { ApplicationFailure } from '@temporalio/common';

import type { PlantActivities } from '../../activities/plants/contract.ts';
import { createPlantActivities } from '../../activities/create.ts';
import type { CallContext } from '../../activities/deps.ts';
import type { ActivityDeps } from '../../activities/plants/deps.ts';
import { type PollEffects, pollPlant } from '../../workflows/plants/poll.ts';

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
 * One poll as a job: the course of Heliograph's loop, so the same steps with the same statements.
 *
 * @throws WorthAnotherAttempt
 */
export async function pollByJob(jobs: JobActivities, poll: JobPoll): Promise<void> {
  const { jobId, plantId, slotMs, intervalMs, attempt } = poll;
  const step =
    <Args, Result>(run: (args: Args) => Promise<Result>, isLocal = false) =>
    (args: Args) =>
      jobs.forJob(jobId, isLocal, () => run(args));
  const { activities } = jobs;
  await pollPlant(
    {
      plantId,
      slotMs,
      intervalMs,
      trigger: 'SCHEDULE',
      course: 'WHOLE',
      path: 'LOCAL_FIRST',
      requestedAtMs: null,
      requestId: undefined,
      missed: null,
      isPostponed: false,
      attemptsBefore: attempt - 1,
    },
    {
      nowMs: Date.now,
      // The course waits only before another attempt, which BullMQ makes.
      sleep: () => Promise.reject(new WorthAnotherAttempt('the vendor failed')),
      pollWhole: step(pollWhole(activities), true),
      fetchReadings: (args) => step(activities.fetchReadings)(args),
      steps: () => ({
        writeMissed: step(activities.writeMissed),
        upsertSnapshot: step(activities.upsertSnapshot),
        backfillDays: step(activities.backfillDays),
        reconcileAlerts: step(activities.reconcileAlerts),
        writePollLog: step(activities.writePollLog),
      }),
      endsPoll: () => true,
      log: { warn: () => {}, error: () => {} },
    },
  );
}

/** As in Heliograph's loop, null where it did not finish: the vendor hangs, and is asked again with more time. */
function pollWhole(activities: PlantActivities): PollEffects['pollWhole'] {
  return async (args) => {
    try {
      return await activities.pollWhole(args);
    } catch (error) {
      if (error instanceof ApplicationFailure) return null;
      throw error;
    }
  };
}
