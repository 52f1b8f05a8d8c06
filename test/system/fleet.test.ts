import { describe, expect } from 'vitest';

import { allPlants } from '../../db/scope.ts';
import { audit } from '../../operations/plants/check.ts';
import { removePlants } from '../../operations/plants/correct.ts';
import { tellLoops } from '../../operations/plants/tell-loops.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import { triggerReconciliation } from '../../operations/fleet-schedule.ts';
import { phaseMs } from '../../domain/slots.ts';
import { plantChangedSignal } from '../../workflows/plants/messages.ts';
import { addPlant, eventually, ordinarySolis } from '../support/fleet.ts';
import { ledgerFlaws, overlaps } from '../support/loops.ts';
import { periodsOf } from '../support/periods.ts';
import { fleet, loops, test } from '../support/test-loops.ts';

/** The reconciliation comes every 30 s: what was changed by SQL alone is right within a minute. */
const minuteMs = 60_000;

test.override('workerOptions', { reconcile: true });

describe('the fleet', () => {
  const isRunning = async (plantId: string) =>
    (await loops.handle(plantId).describe()).status.name === 'RUNNING';
  const set = (plantId: string, values: object) =>
    fleet.db.updateTable('plants').set(values).where('id', '=', plantId).execute();
  const periods = (plantId: string) => periodsOf(fleet.db, plantId);

  test(
    'what was changed by SQL alone is right within a minute: a new plant, a pause, an end of a pause, a plant taken away',
    { timeout: 3 * minuteMs },
    async () => {
      const [paused, ending, removed] = (await Promise.all(
        [1, 2, 3].map((n) => loops.add({ vendorPlantId: ordinarySolis(n) })),
      )) as [string, string, string];
      await Promise.all([paused, ending, removed].map((plantId) => loops.untilPolled(plantId)));
      await set(ending, {
        integration_status: 'DISABLED_BY_OPERATOR',
        paused_until: new Date(Date.now() + 3_000),
        pause_reason: 'cleaning',
      });
      await loops.handle(ending).signal(plantChangedSignal);
      await eventually(
        'the pause with an end',
        async () => (await loops.state(ending)).integration_status === 'DISABLED_BY_OPERATOR',
      );
      const added = await addPlant(fleet.db, fleet.config, { vendorPlantId: ordinarySolis(4) });
      await set(paused, { integration_status: 'DISABLED_BY_OPERATOR' });
      await loops.remove(removed);
      const [first] = await loops.untilPolled(added, 1, minuteMs);
      expect(first).toMatchObject({ trigger: 'START', outcome: 'OK' });
      await eventually(
        'the pause by SQL',
        async () => (await loops.state(paused)).integration_status === 'DISABLED_BY_OPERATOR',
        minuteMs,
      );
      await eventually(
        'the end of the loop without a plant',
        async () => !(await isRunning(removed)),
        minuteMs,
      );
      await eventually(
        'the end of the pause',
        async () => (await loops.state(ending)).integration_status === 'ACTIVE',
        minuteMs,
      );
      const rows = await loops.untilPolled(ending, 2, minuteMs);
      expect(rows.map((row) => row.trigger)).toEqual(['START', 'START']);
      const stored = await fleet.db
        .selectFrom('plants')
        .select(['paused_until', 'pause_reason', 'revision', 'seen_revision'])
        .where('id', '=', ending)
        .executeTakeFirstOrThrow();
      expect(stored).toMatchObject({ paused_until: null, pause_reason: null });
      expect(stored.seen_revision).toBe(stored.revision);
    },
  );

  test('a loop that was terminated is started again, and no plant has two', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(5) });
    await loops.untilPolled(plantId);
    await Promise.all(
      [1, 2, 3].map(() => startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' })),
    );
    const before = await loops.runId(plantId);
    await loops.handle(plantId).terminate('test');
    await eventually(
      'the reconciliation to start it',
      async () => {
        await triggerReconciliation(fleet.client);
        return (await loops.runId(plantId)) !== before && isRunning(plantId);
      },
      minuteMs,
    );
    expect((await loops.polls(plantId)).filter((row) => row.trigger === 'START')).toHaveLength(1);
  });

  test("an interval change is honoured at the new grid's next slot, and the old grid's slots are all accounted for", async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(6), intervalS: 2 });
    await loops.untilPolled(plantId, 3);
    await set(plantId, { poll_interval_s: 1 });
    await loops.handle(plantId).signal(plantChangedSignal);
    await eventually('the new interval', async () => (await loops.state(plantId)).interval_s === 1);
    const rowsAtChange = (await loops.polls(plantId)).length;
    const rows = await loops.untilPolled(plantId, rowsAtChange + 4);
    const [old, current] = await periods(plantId);
    expect(old).toMatchObject({ intervalS: 2, reason: 'ACTIVE' });
    expect(current).toMatchObject({ intervalS: 1, reason: 'ACTIVE', to: null });
    const slots = rows
      .filter((row) => row.trigger !== 'START')
      .map((row) => row.scheduled_for.getTime());
    const due = (fromMs: number, toMs: number, intervalMs: number) => {
      const first =
        Math.ceil((fromMs - phaseMs(plantId, intervalMs)) / intervalMs) * intervalMs +
        phaseMs(plantId, intervalMs);
      return Array.from(
        { length: Math.max(0, Math.ceil((toMs - first) / intervalMs)) },
        (_, n) => first + n * intervalMs,
      );
    };
    const lastMs = slots.at(-1) ?? 0;
    expect(slots).toEqual([
      ...due(old?.from ?? 0, old?.to ?? 0, 2_000),
      ...due(current?.from ?? 0, lastMs + 1, 1_000),
    ]);
    expect(overlaps(rows)).toEqual([]);
    await loops.remove(plantId);
  });

  test('a plant that is removed while its loop polls ends it in order, and nothing starts it again', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(8), intervalS: 1 });
    await loops.untilPolled(plantId, 3);
    const by = { actor: 'ana', requestId: null };
    const at = new Date();
    await removePlants({ db: fleet.db, by, at, scope: allPlants }, [plantId]);
    await tellLoops(fleet.client, [plantId]);
    await loops.handle(plantId).result();
    const rows = await loops.polls(plantId);
    expect(ledgerFlaws(rows, plantId, 1_000)).toEqual([]);
    const [active, ended] = await periods(plantId);
    expect(active).toMatchObject({ reason: 'ACTIVE', to: ended?.from });
    expect(ended).toMatchObject({ reason: 'DISABLED_BY_OPERATOR', to: null });
    await triggerReconciliation(fleet.client);
    const reconciled = () =>
      fleet.db
        .selectFrom('plants')
        .select('id')
        .whereRef('seen_revision', '<>', 'revision')
        .execute();
    await eventually('the reconciliation', async () => (await reconciled()).length === 0, minuteMs);
    expect(await isRunning(plantId)).toBe(false);
    expect(await loops.polls(plantId)).toHaveLength(rows.length);
    const locks = { list: async () => [] };
    const report = await audit({ db: fleet.db, client: fleet.client, locks });
    expect(report.violations.filter((violation) => violation.plant_id === plantId)).toEqual([]);
  });

  test('a plant that is taken away while its loop runs ends it in order', async () => {
    const plantId = await loops.add({ vendorPlantId: ordinarySolis(7) });
    await loops.untilPolled(plantId);
    await loops.remove(plantId);
    await loops.handle(plantId).signal(plantChangedSignal);
    await loops.handle(plantId).result();
    expect(await isRunning(plantId)).toBe(false);
  });
});
