import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { describe, expect } from 'vitest';

import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import { pauseSignal, pollNowSignal } from '../../workflows/plants/messages.ts';
import { eventually } from '../support/fleet.ts';
import { ledgerFlaws, overlaps } from '../support/loops.ts';
import { fleet, loops, test } from '../support/test-loops.ts';

/** A tenth of what Temporal takes in one run. */
const signals = 1_000;

describe('a burst of messages', () => {
  test('1,000 signals pollNow in a burst make 3 rows at most, the last of them after the last signal, and pause is heard afterwards', async () => {
    const plantId = await loops.add({ vendorPlantId: '1300000000000000005' });
    await loops.untilPolled(plantId);
    const handle = loops.handle(plantId);
    const { stdout } = await promisify(execFile)('node_modules/.bin/node', [
      'test/support/send-signals.ts',
      String(fleet.config.TEMPORAL_ADDRESS),
      fleet.config.TEMPORAL_NAMESPACE,
      handle.workflowId,
      'pollNow',
      String(signals),
      '20',
    ]);
    const { lastSentAtMs, ...sent } = JSON.parse(stdout) as { lastSentAtMs: number };
    expect(sent).toEqual({ accepted: signals, refused: null });
    const served = await eventually(
      'a poll that begins after the last signal',
      async () =>
        (await loops.polls(plantId)).find(
          (row) => (row.started_at?.getTime() ?? 0) >= lastSentAtMs,
        ),
      120_000,
    );
    expect(served).toMatchObject({ outcome: 'OK' });
    await eventually('the pause to be accepted', async () =>
      handle.signal(pauseSignal).then(
        () => true,
        () => false,
      ),
    );
    await eventually(
      'the pause',
      async () => (await loops.state(plantId)).integration_status === 'DISABLED_BY_OPERATOR',
    );
    const rows = (await loops.polls(plantId)).filter((row) => row.trigger === 'MANUAL');
    expect(rows.length).toBeLessThanOrEqual(3);
    expect(overlaps(rows)).toEqual([]);
  });

  test('a slot that comes up while a burst is waited for is polled all the same', async () => {
    const intervalMs = 4_000;
    const plantId = await loops.add({ vendorPlantId: '1300000000000000006', intervalS: 4 });
    await loops.untilPolled(plantId, 2);
    const slotMs = nextSlotAfter(
      { intervalMs, phaseMs: phaseMs(plantId, intervalMs) },
      Date.now() + 1_000,
    );
    // The burst is waited for from before the slot's wake to after the slot.
    await new Promise((resolve) => setTimeout(resolve, slotMs - 950 - Date.now()));
    await Promise.all(
      Array.from({ length: 40 }, () => loops.handle(plantId).signal(pollNowSignal)),
    );
    const rows = await eventually('a poll of the slot after', async () => {
      const polled = await loops.polls(plantId);
      return polled.some((row) => row.scheduled_for.getTime() > slotMs + intervalMs / 2) && polled;
    });
    expect(ledgerFlaws(rows, plantId, intervalMs)).toEqual([]);
    await loops.remove(plantId);
  });
});
