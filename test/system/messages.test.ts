import { WorkflowUpdateFailedError, WorkflowUpdateStage } from '@temporalio/client';
import { describe, expect } from 'vitest';

import type { Checkpoint } from '../../activities/deps.ts';
import {
  notedPollNowUpdate,
  pauseSignal,
  pollNowSignal,
  pollNowUpdate,
  resumeSignal,
} from '../../workflows/plants/messages.ts';
import { eventually, ordinarySolis } from '../support/fleet.ts';
import { fleet, loops, test } from '../support/test-loops.ts';
import { slowVendor } from '../support/vendor.ts';

const vendor = slowVendor();
/** What happens at a checkpoint; a test sets it for its own time. */
let atCheckpoint: (name: Checkpoint) => Promise<void> = async () => {};

test.override('workerOptions', {
  openAdapter: vendor.openAdapter,
  checkpoint: (name) => atCheckpoint(name),
});

describe("messages to a plant's loop", () => {
  const callsTo = (vendorPlantId: string) =>
    vendor.calls.filter((call) => call.vendorPlantId === vendorPlantId);

  test('the update pollNow is answered with the outcome of a poll of its own', async () => {
    // Its slots are a day apart: no scheduled poll answers instead.
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(1), intervalS: 86_400 });
    await loops.untilPolled(plantId);
    const answer = await loops.handle(plantId).executeUpdate(pollNowUpdate);
    expect(answer).toMatchObject({
      plant_id: plantId,
      trigger: 'MANUAL',
      outcome: 'OK',
      status: 'GREEN',
    });
    const row = (await loops.polls(plantId)).at(-1);
    expect(row?.scheduled_for.toISOString()).toBe(answer.scheduled_for);
    expect(row?.requested_at).not.toBeNull();
  });

  test('a request id goes with the poll into its row, and anything else that comes with pollNow is refused', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(90) });
    await loops.untilPolled(plantId);
    const loop = loops.handle(plantId);
    await loop.executeUpdate(notedPollNowUpdate, { args: [{ request_id: 'asked-by-a-test' }] });
    await loop.executeUpdate(pollNowUpdate);
    const [first, second] = (await loops.polls(plantId)).slice(-2);
    expect(first).toMatchObject({ trigger: 'MANUAL', request_id: 'asked-by-a-test' });
    expect(second).toMatchObject({ trigger: 'MANUAL', request_id: null });
    for (const note of ['text', 7, { request_id: '' }, { request_id: 'x'.repeat(65) }]) {
      await expect(
        loop.executeUpdate(notedPollNowUpdate, { args: [note as { request_id: string }] }),
      ).rejects.toThrow(WorkflowUpdateFailedError);
    }
  });

  test("an update that comes during the regular fetch of a run's last poll is answered by a poll that begins after it", async () => {
    const vendorPlantId = ordinarySolis(2);
    const plantId = await loops.add({ vendorPlantId }, { pollsPerRun: 2 });
    await loops.untilPolled(plantId);
    const firstRun = await loops.runId(plantId);
    vendor.hold(vendorPlantId);
    await loops.handle(plantId).signal(pollNowSignal);
    await eventually(
      'a regular fetch',
      async () => ((await loops.handle(plantId).describe()).raw.pendingActivities ?? []).length > 0,
    );
    const sentAtMs = Date.now();
    const update = await loops
      .handle(plantId)
      .startUpdate(pollNowUpdate, { waitForStage: WorkflowUpdateStage.ACCEPTED });
    vendor.release(vendorPlantId);
    const answer = await update.result();
    expect(answer).toMatchObject({ trigger: 'MANUAL', outcome: 'OK' });
    expect(Date.parse(answer.scheduled_for)).toBeGreaterThanOrEqual(sentAtMs);
    await eventually('the next run', async () => (await loops.runId(plantId)) !== firstRun);
    expect(await loops.polls(plantId)).toHaveLength(3);
  });

  test("a signal during the local steps of a run's last poll repeats no step and is served", async () => {
    const vendorPlantId = ordinarySolis(3);
    const plantId = await loops.add({ vendorPlantId }, { pollsPerRun: 2 });
    await loops.untilPolled(plantId);
    const firstRun = await loops.runId(plantId);
    let signalled = false;
    atCheckpoint = async (name) => {
      if (name !== 'after alerts commit' || signalled) return;
      signalled = true;
      await loops.handle(plantId).signal(pollNowSignal);
    };
    await loops.handle(plantId).executeUpdate(pollNowUpdate);
    atCheckpoint = async () => {};
    const rows = await loops.untilPolled(plantId, 3);
    await eventually('the next run', async () => (await loops.runId(plantId)) !== firstRun);
    expect(signalled).toBe(true);
    expect(rows.map((row) => row.trigger)).toEqual(['START', 'MANUAL', 'MANUAL']);
    expect(callsTo(vendorPlantId)).toHaveLength(3);
  });

  test("updates that meet a run's end at any moment are all answered", async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(4) }, { pollsPerRun: 1 });
    await loops.untilPolled(plantId);
    const before = await loops.runId(plantId);
    const answers = [];
    for (let round = 0; round < 12; round += 1) {
      // Each round meets the end of the run before at another distance.
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      answers.push(
        ...(await Promise.all(
          [1, 2, 3].map(() => loops.handle(plantId).executeUpdate(pollNowUpdate)),
        )),
      );
    }
    expect(answers.filter((answer) => answer.outcome !== 'OK')).toEqual([]);
    expect(answers).toHaveLength(36);
    // A new run never gets in the way of somebody who waits; it comes when nobody does.
    await eventually('a new run', async () => (await loops.runId(plantId)) !== before);
  });

  test('while paused pollNow is refused at once, its signal polls nothing, and resume polls at once', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(6) });
    await loops.untilPolled(plantId);
    await loops.handle(plantId).signal(pauseSignal);
    await eventually(
      'the pause',
      async () => (await loops.state(plantId)).integration_status === 'DISABLED_BY_OPERATOR',
    );
    await expect(loops.handle(plantId).executeUpdate(pollNowUpdate)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('DISABLED_BY_OPERATOR') },
    });
    await loops.handle(plantId).signal(pollNowSignal);
    const grey = await fleet.db
      .selectFrom('plants')
      .select(['status', 'status_reason'])
      .where('id', '=', plantId)
      .executeTakeFirstOrThrow();
    expect(grey).toEqual({ status: 'GREY', status_reason: 'DISABLED_BY_OPERATOR' });
    await loops.handle(plantId).signal(resumeSignal);
    const rows = await loops.untilPolled(plantId, 2);
    expect(rows.map((row) => [row.trigger, row.outcome])).toEqual([
      ['START', 'OK'],
      ['START', 'OK'],
    ]);
    expect((await loops.state(plantId)).status).toBe('GREEN');
  });

  test('resume changes nothing for a plant that waits for its papers', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(7), active: false });
    await eventually(
      'the first look',
      async () => (await loops.state(plantId)).integration_status === 'PENDING_DOCS',
    );
    await loops.handle(plantId).signal(resumeSignal);
    await loops.handle(plantId).signal(pauseSignal);
    // A query is answered after the signals before it were handled, the row tells when their activity has run.
    await expect(loops.handle(plantId).executeUpdate(pollNowUpdate)).rejects.toThrow();
    await eventually('both wishes to be carried', async () => {
      const { raw } = await loops.handle(plantId).describe();
      return (raw.pendingActivities ?? []).length === 0 && raw.pendingWorkflowTask == null;
    });
    const row = await fleet.db
      .selectFrom('plants')
      .select('integration_status')
      .where('id', '=', plantId)
      .executeTakeFirstOrThrow();
    expect(row.integration_status).toBe('PENDING_DOCS');
    expect(await loops.polls(plantId)).toEqual([]);
  });

  test('current details show the last poll, the next slot and the status', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(8) });
    await loops.untilPolled(plantId);
    const details = await eventually('the details', async () => {
      const metadata = await loops
        .handle(plantId)
        .query<{ currentDetails?: string }>('__temporal_workflow_metadata');
      return metadata.currentDetails?.includes('GREEN') && metadata.currentDetails;
    });
    expect(details).toContain('START OK');
    expect(details).toMatch(/next slot: \d{4}-/);
    expect(details).toContain('open alerts: 0');
  });
});
