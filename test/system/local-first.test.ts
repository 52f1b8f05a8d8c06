import { describe, expect } from 'vitest';

import type { Brand } from '../../domain/plants/plant.ts';
import { pollNowSignal } from '../../workflows/plants/messages.ts';
import { eventually, ordinarySolis } from '../support/fleet.ts';
import { loops, test } from '../support/test-loops.ts';
import { slowVendor } from '../support/vendor.ts';

/** What a local fetch may take; what is beyond it is cut. */
const localFetchMs = 2_000;

const vendor = slowVendor();
test.override('workerOptions', { openAdapter: vendor.openAdapter });

describe('a vendor that hangs', () => {
  const pendingFetch = async (plantId: string) => {
    const { raw } = await loops.handle(plantId).describe();
    return raw.pendingActivities?.find(
      (activity) => activity.activityType?.name === 'fetchReadings',
    );
  };
  const callsTo = (vendorPlantId: string) =>
    vendor.calls.filter((call) => call.vendorPlantId === vendorPlantId);

  test('the local attempt is cut at 2 s and ends there, the poll goes on as a regular activity that people can see, and counts one attempt', async () => {
    const vendorPlantId = ordinarySolis(1);
    const plantId = await loops.add({ vendorPlantId });
    await loops.untilPolled(plantId);
    vendor.hold(vendorPlantId);
    await loops.handle(plantId).signal(pollNowSignal);
    await eventually('the regular fetch', () => pendingFetch(plantId));
    // It is seen a moment before it asks.
    await eventually('its call', async () => callsTo(vendorPlantId).length === 3);
    const [, cut, regular] = callsTo(vendorPlantId);
    expect(cut?.aborted).toBe(true);
    expect((cut?.endedAtMs ?? 0) - (cut?.startedAtMs ?? 0)).toBeLessThan(localFetchMs + 1_500);
    expect(regular?.startedAtMs).toBeGreaterThanOrEqual(cut?.endedAtMs ?? Infinity);
    expect((await loops.state(plantId)).polling).not.toBeNull();
    vendor.release(vendorPlantId);
    const rows = await loops.untilPolled(plantId, 2);
    expect(rows[1]).toMatchObject({ trigger: 'MANUAL', outcome: 'OK', attempts: 1 });
    // Nothing was asked after the cut but by the regular attempt.
    expect(callsTo(vendorPlantId)).toHaveLength(3);
  });

  test(
    "three cuts open the brand's breaker: its next poll is regular at once, other brands stay local, and a quick answer closes it",
    { timeout: 120_000 },
    async () => {
      const brand: Brand = 'HUAWEI';
      const plants = ['NE=90000001', 'NE=90000002', 'NE=90000003'];
      const ids = await Promise.all(
        plants.map((vendorPlantId) => loops.add({ vendorPlantId, brand })),
      );
      const other = await loops.add({ vendorPlantId: '90000001', brand: 'DELE' });
      await Promise.all([...ids, other].map((plantId) => loops.untilPolled(plantId)));
      vendor.hold(brand);
      for (const plantId of ids) await loops.handle(plantId).signal(pollNowSignal);
      for (const plantId of ids) await eventually('its regular fetch', () => pendingFetch(plantId));
      const cuts = vendor.calls.filter((call) => call.brand === brand && call.aborted).length;
      expect(cuts).toBe(3);
      await untilSlow(brand, ids.length);
      vendor.release(brand);
      await Promise.all(ids.map((plantId) => loops.untilPolled(plantId, 2)));
      vendor.hold(brand);
      const [first = ''] = ids;
      await loops.handle(first).signal(pollNowSignal);
      await eventually('a regular fetch at once', () => pendingFetch(first));
      expect(vendor.calls.filter((call) => call.brand === brand && call.aborted)).toHaveLength(
        cuts,
      );
      await loops.handle(other).signal(pollNowSignal);
      await loops.untilPolled(other, 2);
      expect(await regularFetches(other)).toBe(0);
      await untilSlow(brand, 1);
      vendor.release(brand);
      await loops.untilPolled(first, 3);
      // This one is answered at once, on the regular path; the one after it is local again.
      for (const count of [4, 5]) {
        await loops.handle(first).signal(pollNowSignal);
        const rows = await loops.untilPolled(first, count);
        expect(rows.at(-1)).toMatchObject({ outcome: 'OK', attempts: 1 });
      }
      const before = await regularFetches(first);
      await loops.handle(first).signal(pollNowSignal);
      await loops.untilPolled(first, 6);
      expect(await regularFetches(first)).toBe(before);
    },
  );

  /** Waits until so many calls are open that their answers leave the breaker open: each has taken longer than 1 s. */
  async function untilSlow(brand: Brand, count: number): Promise<void> {
    await eventually('calls that have taken long', async () => {
      const open = vendor.calls.filter((call) => call.brand === brand && call.endedAtMs === null);
      return open.length === count && open.every((call) => Date.now() - call.startedAtMs > 1_100);
    });
  }

  /** Regular fetches in the history of the current run. */
  async function regularFetches(plantId: string): Promise<number> {
    const { events } = await loops.handle(plantId).fetchHistory();
    return (events ?? []).filter(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'fetchReadings',
    ).length;
  }
});
