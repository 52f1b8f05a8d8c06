import { describe, expect } from 'vitest';

import { startLoop } from '../../operations/plants/loops.ts';
import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import { pollNowUpdate, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { addPlant, eventually, ordinarySolis } from '../support/fleet.ts';
import { ledgerFlaws, overlaps, untilJustAfterSlot } from '../support/loops.ts';
import { fleet, loops, test } from '../support/test-loops.ts';
import { slowVendor } from '../support/vendor.ts';

const vendor = slowVendor();
test.override('workerOptions', { openAdapter: vendor.openAdapter });

describe("a plant's loop", () => {
  test('polls at once when it starts, then on its slots, one row each', async () => {
    const intervalMs = 2_000;
    const plantId = await addPlant(fleet.db, fleet.config, {
      vendorPlantId: ordinarySolis(1),
      intervalS: intervalMs / 1000,
    });
    await untilJustAfterSlot(plantId, intervalMs);
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
    const rows = await loops.untilPolled(plantId, 4);
    expect(rows[0]).toMatchObject({ trigger: 'START', outcome: 'OK' });
    expect(rows.filter((row) => row.trigger === 'START')).toHaveLength(1);
    expect(ledgerFlaws(rows, plantId, intervalMs)).toEqual([]);
    await loops.remove(plantId);
  });

  test('keeps its slots over several runs, and a poll costs 8 events and 4 transitions at most, new runs included', async () => {
    const intervalMs = 1_000;
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(2), intervalS: 1 });
    const [, ordinaryRun] = await runsOf(plantId, 3);
    const described = await fleet.client.workflow
      .getHandle(pollWorkflowId(plantId), ordinaryRun)
      .describe();
    const polled = (await loops.polls(plantId)).filter(
      (row) => row.run_id === ordinaryRun && row.status !== null,
    );
    // The first poll of a busy machine may be late: its wait is one timer and one workflow task, 5 events in 3 transitions.
    const late = polled.filter((row) => row.trigger === 'CATCH_UP').length;
    expect(polled.length).toBeGreaterThanOrEqual(16);
    expect((described.historyLength - 5 * late) / polled.length).toBeLessThanOrEqual(8);
    expect(
      (Number(described.raw.workflowExecutionInfo?.stateTransitionCount) - 3 * late) /
        polled.length,
    ).toBeLessThanOrEqual(4);
    const rows = await loops.polls(plantId);
    expect(ledgerFlaws(rows, plantId, intervalMs)).toEqual([]);
    expect(overlaps(rows)).toEqual([]);
    await loops.remove(plantId);
  });

  test('loses neither slot nor update while runs change every two polls', async () => {
    const plantId = await loops.add(
      { vendorPlantId: ordinarySolis(3), intervalS: 1 },
      { pollsPerRun: 2 },
    );
    const answers = [];
    // A new run waits until nobody asks: between two updates there is time for one, and none is held back for it.
    for (
      let runs = 0;
      runs < 4;
      runs = new Set((await loops.polls(plantId)).map((row) => row.run_id)).size
    ) {
      answers.push(await loops.handle(plantId).executeUpdate(pollNowUpdate));
      await new Promise((resolve) => setTimeout(resolve, 40 * (answers.length % 5)));
    }
    expect(answers.filter((answer) => answer.outcome !== 'OK')).toEqual([]);
    const rows = await loops.untilPolled(plantId, answers.length);
    const booked = new Set(rows.map((row) => row.scheduled_for.toISOString()));
    expect(answers.filter((answer) => !booked.has(answer.scheduled_for))).toEqual([]);
    expect(ledgerFlaws(rows, plantId, 1_000)).toEqual([]);
    expect(overlaps(rows)).toEqual([]);
    await loops.remove(plantId);
  });

  test('a poll that is longer than the interval makes its followers MISSED and CATCH_UP, never overlaps, and people are still heard', async () => {
    const vendorPlantId = ordinarySolis(4);
    vendor.delay(vendorPlantId, 1_300);
    const plantId = await loops.add({ vendorPlantId, intervalS: 1 }, { pollsPerRun: 3 });
    const rows = await loops.untilPolled(plantId, 14);
    const outcomes = (trigger: string, outcome: string) =>
      rows.filter((row) => row.trigger === trigger && row.outcome === outcome).length;
    expect(outcomes('CATCH_UP', 'OK')).toBeGreaterThan(0);
    expect(outcomes('SCHEDULE', 'MISSED')).toBeGreaterThan(0);
    expect(ledgerFlaws(rows, plantId, 1_000)).toEqual([]);
    expect(overlaps(rows)).toEqual([]);
    expect(new Set(rows.map((row) => row.run_id)).size).toBeGreaterThan(1);
    await loops.handle(plantId).signal('pause');
    await eventually(
      'the pause of a loop that is always late',
      async () => (await loops.state(plantId)).integration_status === 'DISABLED_BY_OPERATOR',
    );
    vendor.delay(vendorPlantId, 0);
  });

  test('a worker that was busy when a poll came up delays that poll, and not the next one as well', async () => {
    const intervalMs = 6_000;
    const busyMs = 1_600;
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(9), intervalS: 6 });
    await loops.untilPolled(plantId, 2);
    const slotMs = nextSlotAfter(
      { intervalMs, phaseMs: phaseMs(plantId, intervalMs) },
      Date.now() + 1_000,
    );
    // The loop is woken while nobody can take up its step.
    await new Promise((resolve) => setTimeout(resolve, slotMs - 700 - Date.now()));
    const freeAt = performance.now() + busyMs;
    while (performance.now() < freeAt);
    const rows = await eventually('the two polls', async () => {
      const polled = (await loops.polls(plantId)).filter(
        (row) => row.scheduled_for.getTime() >= slotMs && row.status !== null,
      );
      return polled.length >= 2 ? polled : null;
    });
    expect(rows[0]?.late_ms).toBeGreaterThan(700);
    expect(rows[1]?.late_ms).toBeLessThan(600);
    await loops.remove(plantId);
  });

  test('a loop that starts again with nothing in hand reads where it was, polls the newest slot and writes off the older ones', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(5), intervalS: 1 });
    await loops.untilPolled(plantId, 3);
    await loops.handle(plantId).terminate('test');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const before = await loops.polls(plantId);
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
    const rows = await loops.untilPolled(plantId, before.length + 5);
    const added = rows.slice(before.length);
    expect(added.filter((row) => row.outcome === 'MISSED').length).toBeGreaterThanOrEqual(2);
    expect(added.find((row) => row.outcome !== 'MISSED')).toMatchObject({
      trigger: 'CATCH_UP',
      outcome: 'OK',
    });
    // The plant became active once: only its first loop may begin with a START, and a slot may come before it.
    expect(added.filter((row) => row.trigger === 'START')).toEqual([]);
    expect(ledgerFlaws(rows, plantId, 1_000)).toEqual([]);
    await loops.remove(plantId);
  });

  /** The ids of the first runs, oldest first; all but the last have ended. */
  async function runsOf(plantId: string, count: number): Promise<string[]> {
    return eventually(
      `${count} runs of ${plantId}`,
      async () => {
        const rows = await loops.polls(plantId);
        const runs = [...new Set(rows.map((row) => row.run_id))];
        return runs.length >= count && runs;
      },
      60_000,
    );
  }
});
