import { afterAll, describe, expect } from 'vitest';

import { createActions } from '../../api/plants/actions.ts';
import { createFleetView } from '../../api/plants/fleet-view.ts';
import { allPlants } from '../../db/scope.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { eventually, ordinarySolis } from '../support/fleet.ts';
import { fleet, loops, test } from '../support/test-loops.ts';
import { slowVendor } from '../support/vendor.ts';

const operator = 'operator@example.org';

const vendor = slowVendor();
test.override('workerOptions', { openAdapter: vendor.openAdapter });

describe('the API and the loops', () => {
  let api: TestApi;

  test.beforeAll(async () => {
    api = await createTestApi({ db: fleet.db, temporal: fleet.client, clock: Date.now });
    await api.user(operator, 'OPERATOR');
  });
  afterAll(() => api.close());

  async function post(path: string, headers: Record<string, string> = {}, body?: unknown) {
    const response = await api.ask(operator, 'POST', `/api/v1${path}`, body, headers);
    return { status: response.status, body: JSON.parse(await response.text()) };
  }
  const manualPolls = async (plantId: string) =>
    (await loops.polls(plantId)).filter((row) => row.trigger === 'MANUAL');
  async function addPolled(n: number): Promise<string> {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(n) });
    await loops.untilPolled(plantId);
    return plantId;
  }

  test('a poll is answered with its outcome; the same key twice gives the same answer and one poll', async () => {
    const plantId = await addPolled(1);
    const key = { 'idempotency-key': 'poll-1' };
    const first = await post(`/plants/${plantId}/poll`, key);
    expect(first).toMatchObject({
      status: 200,
      body: { plant_id: plantId, outcome: 'OK', trigger: 'MANUAL' },
    });
    expect(await post(`/plants/${plantId}/poll`, key)).toEqual(first);
    expect(await manualPolls(plantId)).toHaveLength(1);
    const other = await addPolled(2);
    expect((await post(`/plants/${other}/poll`, key)).status).toBe(422);
    expect((await post(`/plants/${plantId}/poll`)).body.scheduled_for).not.toBe(
      first.body.scheduled_for,
    );
  });

  test('a key whose request was abandoned is free after two minutes, and every answer after a day', async () => {
    const plantId = await addPolled(3);
    const key = { 'idempotency-key': 'poll-3' };
    const age = (text: string) =>
      fleet.db
        .updateTable('idempotency_keys')
        .set({ created_at: new Date(Date.now() - Number(text) * 1_000) })
        .where('key', '=', 'poll-3')
        .execute();
    await post(`/plants/${plantId}/poll`, key);
    await fleet.db
      .updateTable('idempotency_keys')
      .set({ status: null, body: null })
      .where('key', '=', 'poll-3')
      .execute();
    await age('100');
    expect((await post(`/plants/${plantId}/poll`, key)).status).toBe(409);
    await age('121');
    const second = await post(`/plants/${plantId}/poll`, key);
    expect(second.status).toBe(200);
    await age('86401');
    expect((await post(`/plants/${plantId}/poll`, key)).body.scheduled_for).not.toBe(
      second.body.scheduled_for,
    );
  });

  test('while a poll runs ten may wait for it, an eleventh is refused, and its key is not given twice', async () => {
    const vendorPlantId = ordinarySolis(4);
    const plantId = await addPolled(4);
    vendor.hold(vendorPlantId);
    const first = post(`/plants/${plantId}/poll`, { 'idempotency-key': 'held' });
    await eventually('the key to be claimed', async () =>
      fleet.db
        .selectFrom('idempotency_keys')
        .select('key')
        .where('key', '=', 'held')
        .executeTakeFirst(),
    );
    const others = Array.from({ length: 9 }, () => post(`/plants/${plantId}/poll`));
    await eventually('the loop to have taken ten wishes', async () => {
      const { events } = await loops.handle(plantId).fetchHistory();
      const taken = events?.filter((one) => one.workflowExecutionUpdateAcceptedEventAttributes);
      return taken?.length === 10;
    });
    expect((await post(`/plants/${plantId}/poll`)).status).toBe(429);
    expect((await post(`/plants/${plantId}/poll`, { 'idempotency-key': 'held' })).status).toBe(409);
    vendor.release(vendorPlantId);
    const answers = await Promise.all([first, ...others]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await post(`/plants/${plantId}/poll`)).status).toBe(200);
  });

  test('a poll that takes too long is told as one that goes on, and does', async () => {
    const plantId = await addPolled(5);
    const actions = createActions(api.deps, createFleetView(fleet.db, Date.now), {
      pollWaitMs: 1_000,
    });
    vendor.hold(ordinarySolis(5));
    const by = { actor: operator, requestId: null };
    await expect(actions.poll({ by, scope: allPlants }, plantId)).rejects.toMatchObject({
      kind: 'answer-not-in-time',
      status: 504,
    });
    vendor.release(ordinarySolis(5));
    await eventually('the poll to end', async () => (await manualPolls(plantId)).length === 1);
  });

  test('a pause is seen by the loop at once, and a resume polls at once', async () => {
    const plantId = await addPolled(6);
    expect(await post(`/plants/${plantId}/pause`, {}, { reason: 'works' })).toEqual({
      status: 200,
      body: { loop_told: true },
    });
    await eventually(
      'the loop to see the pause',
      async () => (await loops.state(plantId)).integration_status === 'DISABLED_BY_OPERATOR',
    );
    expect((await post(`/plants/${plantId}/poll`)).status).toBe(409);
    const polls = (await loops.polls(plantId)).length;
    expect((await post(`/plants/${plantId}/resume`)).body).toEqual({ loop_told: true });
    await loops.untilPolled(plantId, polls + 1);
    expect((await loops.polls(plantId)).at(-1)).toMatchObject({ trigger: 'START', outcome: 'OK' });
  });

  test('a plant without a loop is no poll, and says so at once', async () => {
    const plantId = await addPolled(7);
    await loops.handle(plantId).terminate();
    expect(await post(`/plants/${plantId}/poll`, { 'idempotency-key': 'no-loop' })).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining('not running') },
    });
    // Nothing was done: the key is free.
    expect((await post(`/plants/${plantId}/poll`, { 'idempotency-key': 'no-loop' })).status).toBe(
      503,
    );
  });
});
