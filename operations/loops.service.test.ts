import { defineSignal } from '@temporalio/workflow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createTestFleet, eventually, type TestFleet } from '../test/support/fleet.ts';
import { createLoops, listRunning, type LoopKind } from './loops.ts';

/** The loops of a kind that the product does not have, on a real Temporal. Nobody serves their queue: they run and do nothing. */

interface Pond {
  id: string;
  depthM: number;
}

const kindOf = (workflowType: string, prefix: string): LoopKind<Pond> => ({
  workflowType,
  workflowIdOf: (id) => `${prefix}:${id}`,
  subjectOf: (workflowId) =>
    workflowId.startsWith(`${prefix}:`) ? workflowId.slice(prefix.length + 1) : null,
  startOf: ({ id, depthM }) => ({
    taskQueue: 'queue:nobody',
    args: [{ v: 1, depthM }],
    memo: { id },
    staticSummary: id,
  }),
  changedSignal: defineSignal('changed'),
});
const ponds = kindOf('watchPond', 'pond');

describe('loops of a kind', () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await createTestFleet();
  });
  afterAll(() => fleet.close());

  const loopsOf = (kind = ponds) => createLoops(fleet.client, kind);
  const handle = (id: string) => fleet.client.workflow.getHandle(ponds.workflowIdOf(id));
  const runIdOf = async (id: string) => (await handle(id).describe()).runId;
  const eventsOf = async (id: string) => (await handle(id).fetchHistory()).events ?? [];

  test('a start hands over the input and the queue; a second one leaves the loop that runs', async () => {
    await loopsOf().start({ id: 'started', depthM: 2 });
    const runId = await runIdOf('started');
    await loopsOf().start({ id: 'started', depthM: 3 });
    expect(await runIdOf('started')).toBe(runId);
    expect(await handle('started').describe()).toMatchObject({
      type: 'watchPond',
      taskQueue: 'queue:nobody',
      memo: { id: 'started' },
    });
    const input = (await eventsOf('started'))[0]?.workflowExecutionStartedEventAttributes?.input;
    const [payload] = input?.payloads ?? [];
    expect(JSON.parse(Buffer.from(payload?.data ?? []).toString())).toEqual({ v: 1, depthM: 2 });
  });

  test('loops of another kind, and of another name, are not listed', async () => {
    await loopsOf().start({ id: 'listed', depthM: 2 });
    await loopsOf(kindOf('watchMill', 'mill')).start({ id: 'turning', depthM: 0 });
    await fleet.client.workflow.start('watchPond', {
      workflowId: 'by-hand',
      taskQueue: 'queue:nobody',
    });
    await eventually('all are seen', async () => {
      const all = await listRunning(fleet.client, 'watchPond');
      return all.has('by-hand') && all.has('pond:listed');
    });
    const listed = await loopsOf().list();
    expect(listed).toContain('listed');
    expect([...listed].join()).not.toMatch(/turning|by-hand/);
    // The one of another name counts: a number that is not right has the loops listed.
    expect(await loopsOf().count()).toBe(listed.size + 1);
  });

  test('a signal reaches the loop that runs, and says so where none does', async () => {
    expect(await loopsOf().signalChanged('absent')).toBe(false);
    await loopsOf().start({ id: 'told', depthM: 2 });
    expect(await loopsOf().signalChanged('told')).toBe(true);
    const signals = (await eventsOf('told')).map(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName,
    );
    expect(signals).toContain('changed');
    await handle('told').terminate();
    expect(await loopsOf().signalChanged('told')).toBe(false);
  });

  test('a wake reaches the loop that runs, and starts one where none does', async () => {
    const pond = { id: 'asleep', depthM: 2 };
    await loopsOf().wake(pond);
    const runId = await runIdOf('asleep');
    await loopsOf().wake(pond);
    expect(await runIdOf('asleep')).toBe(runId);
    const signals = (await eventsOf('asleep')).flatMap(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
    );
    expect(signals).toEqual(['changed', 'changed']);
  });

  test('restarting leaves a loop that is well, and starts one where none runs', async () => {
    const pond = { id: 'silent', depthM: 2 };
    expect(await loopsOf().restartStuck(pond)).toBe(true);
    const runId = await runIdOf('silent');
    expect(await loopsOf().restartStuck(pond)).toBe(false);
    expect(await runIdOf('silent')).toBe(runId);
    await handle('silent').terminate();
    expect(await loopsOf().restartStuck(pond)).toBe(true);
    expect(await runIdOf('silent')).not.toBe(runId);
  });
});
