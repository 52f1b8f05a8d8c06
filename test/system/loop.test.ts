import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { listPollLogs } from '../../db/poll-logs.ts';
import { pauseSignal, plantStateQuery, pollNowSignal, pollNowUpdate, pollWorkflowId, resumeSignal } from '../../workflows/messages.ts';
import { startLoop } from '../../cli/loops.ts';
import type { RunningWorker } from '../../cli/worker.ts';
import { addPlant, createTestFleet, eventually, type TestFleet, type TestPlant } from '../support/fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

const ordinarySolis = '1300000000000000001';

describe('a plant\'s loop', () => {
  let fleet: TestFleet;
  let worker: RunningWorker;

  beforeAll(async () => {
    fleet = await createTestFleet();
    worker = await startTestWorker(fleet);
  });

  afterAll(async () => {
    await stopWorker(worker);
    await fleet.close();
  });

  const handleOf = (plantId: string) => fleet.client.workflow.getHandle(pollWorkflowId(plantId));
  const add = async (plant: TestPlant) => {
    const plantId = await addPlant(fleet.db, fleet.config, plant);
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: plant.brand ?? 'SOLIS' });
    return plantId;
  };
  const rows = async (plantId: string) => (await listPollLogs(fleet.db, plantId, 1_000)).reverse();

  test('polls at once when it starts, then on its slots, one row each', async () => {
    const plantId = await add({ vendorPlantId: ordinarySolis, intervalS: 1 });
    await eventually('five polls', async () => (await rows(plantId)).length >= 5);
    const polled = await rows(plantId);
    expect(polled[0]).toMatchObject({ trigger: 'START', outcome: 'OK' });
    const slots = polled.slice(1).map((row) => row.scheduled_for.getTime());
    for (const [index, slot] of slots.entries()) if (index > 0) expect(slot - (slots[index - 1] ?? 0)).toBe(1_000);
    await fleet.db.deleteFrom('plants').where('id', '=', plantId).execute();
  });

  test('answers the update pollNow with that poll\'s outcome', async () => {
    const plantId = await add({ vendorPlantId: '1300000000000000002' });
    await eventually('its first poll', async () => (await rows(plantId)).length > 0);
    const answer = await handleOf(plantId).executeUpdate(pollNowUpdate);
    expect(answer).toMatchObject({ plant_id: plantId, trigger: 'MANUAL', outcome: 'OK', status: 'GREEN' });
    expect((await rows(plantId)).at(-1)?.scheduled_for.toISOString()).toBe(answer.scheduled_for);
  });

  test('makes one poll of a burst of signals', async () => {
    const plantId = await add({ vendorPlantId: '1300000000000000003' });
    await eventually('its first poll', async () => (await rows(plantId)).length > 0);
    await Promise.all(Array.from({ length: 30 }, () => handleOf(plantId).signal(pollNowSignal)));
    await eventually('a manual poll', async () => (await rows(plantId)).length > 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await rows(plantId)).length).toBeLessThanOrEqual(4);
  });

  test('refuses pollNow at once while paused, and polls at once when resumed', async () => {
    const plantId = await add({ vendorPlantId: '1300000000000000004' });
    await eventually('its first poll', async () => (await rows(plantId)).length > 0);
    await handleOf(plantId).signal(pauseSignal);
    await eventually('the pause', async () => (await handleOf(plantId).query(plantStateQuery)).integration_status === 'DISABLED_BY_OPERATOR');
    await expect(handleOf(plantId).executeUpdate(pollNowUpdate)).rejects.toThrow();
    const paused = await fleet.db.selectFrom('plants').select(['status', 'status_reason']).where('id', '=', plantId).executeTakeFirstOrThrow();
    expect(paused).toEqual({ status: 'GREY', status_reason: 'DISABLED_BY_OPERATOR' });
    const before = (await rows(plantId)).length;
    await handleOf(plantId).signal(resumeSignal);
    const resumed = await eventually('the poll after resume', async () => (await rows(plantId))[before]);
    expect(resumed).toMatchObject({ trigger: 'START', outcome: 'OK' });
  });
});
