import type { Component, Fact } from './diagnosis.ts';
import { localTimeText } from '../domain/wording.ts';
import { fleetQueue, fleetScheduleId } from '../workflows/messages.ts';

/** The Schedule that reconciles the fleet, as a component of the diagnosis. */

export interface Reconciliation {
  /** Whether the Schedule exists. */
  scheduled: boolean;
  paused: boolean;
  /** ISO; null before the first run. */
  last_run_at: string | null;
}

/** The reconciliation runs every 30 s. */
const reconciledWithinMs = 3 * 60_000;
/** gRPC's code for something that does not exist. */
const grpcNotFound = 5;

export const reconciled: Fact<Reconciliation> = async ({ temporal }) => {
  try {
    const { schedule, info } = await temporal.workflowService.describeSchedule({
      namespace: temporal.options.namespace,
      scheduleId: fleetScheduleId,
    });
    const last = info?.recentActions?.at(-1)?.actualTime?.seconds;
    return {
      scheduled: true,
      paused: schedule?.state?.paused === true,
      last_run_at: last == null ? null : new Date(Number(last) * 1_000).toISOString(),
    };
  } catch (error) {
    if ((error as { code?: unknown }).code !== grpcNotFound) throw error;
    return { scheduled: false, paused: false, last_run_at: null };
  }
};

export const reconciliation: Component<Reconciliation> = {
  name: 'reconciliation',
  part: 'loops',
  fact: reconciled,
  judge({ scheduled, paused, last_run_at: lastRunAt }, { takenAtMs, zone }) {
    const state = 'degraded';
    if (!scheduled)
      return {
        state,
        canAutoFix: true,
        sentence: `The Schedule ${fleetScheduleId} is missing.`,
        advice: `Start a worker of ${fleetQueue}: it creates the Schedule.`,
      };
    if (paused)
      return {
        state,
        sentence: `The Schedule ${fleetScheduleId} is paused.`,
        advice: 'Unpause it in the Temporal Web UI.',
      };
    if (lastRunAt === null)
      return {
        state: 'ok',
        sentence: 'The fleet was not reconciled yet; the first run is due soon.',
      };
    const lastRunAtMs = Date.parse(lastRunAt);
    const sentence = `The fleet was last reconciled at ${localTimeText(lastRunAtMs, zone ?? 'UTC')}.`;
    return lastRunAtMs < takenAtMs - reconciledWithinMs
      ? { state, sentence, advice: `Check that a worker serves ${fleetQueue}.` }
      : { state: 'ok', sentence };
  },
  away: {
    state: 'degraded',
    sentence: 'When the fleet was last reconciled is not known while Temporal is away.',
  },
};
