import { describe, expect, test } from 'vitest';

import type { Config } from '../../environment/config.ts';
import { createTestFleet, eventually } from '../support/fleet.ts';
import { testLoops } from '../support/loops.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** POLL_COURSE: what the Web UI shows of a poll, and when a change of the setting takes effect. */

const stepsOfPoll = ['fetchReadings', 'upsertSnapshot', 'reconcileAlerts', 'writePollLog'];

describe('POLL_COURSE', () => {
  test('shows each step of a poll, and holds from the next run of a loop on', async () => {
    const fleet = await createTestFleet();
    const loops = testLoops(fleet);
    const startWorker = (course: Config['POLL_COURSE']) =>
      startTestWorker({ config: { ...fleet.config, POLL_COURSE: course } }, { reconcile: false });
    /** The regular activities of a run, in their order. */
    const regularSteps = async (plantId: string, runId: string): Promise<string[]> => {
      const { workflowId } = loops.handle(plantId);
      const { events } = await fleet.client.workflow.getHandle(workflowId, runId).fetchHistory();
      return (events ?? []).flatMap(
        ({ activityTaskScheduledEventAttributes: scheduled }) =>
          scheduled?.activityType?.name ?? [],
      );
    };
    const nextRun = (plantId: string, before: string) =>
      eventually('another run', async () => {
        const runId = await loops.runId(plantId);
        return runId !== before && runId;
      });
    let worker = await startWorker('steps');
    try {
      const plant = { vendorPlantId: '1300000000000000031', intervalS: 2 };
      const plantId = await loops.add(plant, { pollsPerRun: 3 });
      const first = await loops.runId(plantId);
      const second = await nextRun(plantId, first);
      // The second run as well: a run gives the next one the setting that its worker told it.
      for (const runId of [first, second]) {
        if (runId === second) await nextRun(plantId, second);
        const steps = await regularSteps(plantId, runId);
        expect(steps.filter((step) => step === 'writePollLog')).toHaveLength(3);
        expect(steps.slice(-stepsOfPoll.length)).toEqual(stepsOfPoll);
        expect(steps).not.toContain('pollWhole');
      }
      await stopWorker(worker);
      const last = await loops.runId(plantId);
      worker = await startWorker('whole');
      // The run that met the change ends as it began.
      const changed = await nextRun(plantId, last);
      expect(await regularSteps(plantId, last)).toContain('fetchReadings');
      await nextRun(plantId, changed);
      expect(await regularSteps(plantId, changed)).toEqual([]);
    } finally {
      await stopWorker(worker);
      await fleet.close();
    }
  });
});
