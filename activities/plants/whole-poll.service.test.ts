import { CancelledFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { playPlant } from '../../cli/demo/play.ts';
import { findPlant } from '../../db/plants/plants.ts';
import { listPollLogs } from '../../db/plants/poll-logs.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { dayMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { playing } from '../../test/support/scenarios.ts';
import type { PlantActivities, WholePollArgs } from './contract.ts';

const activatedMs = Date.parse('2026-06-11T10:00:00Z');
const slotMs = Date.parse('2026-06-11T12:00:00Z');
const intervalMs = 600_000;

beforeEach(async () => {
  await database.db.deleteFrom('poll_logs').execute();
  await database.db.deleteFrom('plants').execute();
});

function whole(atSlotMs: number, different: Partial<WholePollArgs> = {}): WholePollArgs {
  return {
    plantId: 'plant',
    slotMs: atSlotMs,
    intervalMs,
    nowMs: atSlotMs,
    trigger: 'SCHEDULE',
    requestedAtMs: null,
    missed: null,
    ...different,
  };
}

/** A plant whose first poll, which has gaps to fill, is behind it. */
async function polledPlant(): Promise<{ activities: PlantActivities; setClock(ms: number): void }> {
  await insertTestPlant(database.db, { activated_at: new Date(activatedMs) });
  const player = testActivities(database);
  await playPlant(player, 'plant', slotMs - intervalMs, slotMs - 1);
  return player;
}

const ledger = (plantId = 'plant') => listPollLogs(database.db, plantId, 2_000);

describe('a poll in one step', () => {
  test('writes day, plant and ledger row, and answers with them', async () => {
    const { activities, setClock } = await polledPlant();
    setClock(slotMs);
    const result = await activities.pollWhole(whole(slotMs));
    expect(result).toMatchObject({ kind: 'ENDED', poll: { outcome: 'OK', attempts: 1 } });
    const [row] = await ledger();
    expect(row).toMatchObject({ outcome: 'OK', status: 'SUCCESS', late_ms: 0, run_id: 'run' });
    const plant = await findPlant(database.db, 'plant');
    expect(plant?.last_slot?.getTime()).toBe(slotMs);
    const day = await database.db
      .selectFrom('metric_snapshots')
      .selectAll()
      .where('date', '=', '2026-06-11')
      .executeTakeFirstOrThrow();
    expect(day.slot?.getTime()).toBe(slotMs);
    expect(day.today_energy_kwh).toBe(row?.today_energy_kwh);
  });

  test('again, it changes nothing and answers what was booked, without the vendor', async () => {
    const { activities, setClock } = await polledPlant();
    setClock(slotMs);
    const first = await activities.pollWhole(whole(slotMs));
    const before = await ledger();
    setClock(slotMs + 30_000);
    const again = await activities.pollWhole(whole(slotMs));
    expect(again).toEqual({
      kind: 'FETCHED',
      fetched: { kind: 'ALREADY_BOOKED', poll: first.kind === 'ENDED' && first.poll },
    });
    expect(await ledger()).toEqual(before);
  });

  test('a plant that people changed while the vendor was asked keeps nothing of the poll', async () => {
    await polledPlant();
    const { activities, setClock } = testActivities(database, {
      checkpoint: async (name) => {
        if (name !== 'after vendor answer') return;
        await database.db.updateTable('plants').set({ poll_interval_s: 300 }).execute();
      },
    });
    setClock(slotMs);
    const before = await ledger();
    const days = await database.db.selectFrom('metric_snapshots').selectAll().execute();
    expect(await activities.pollWhole(whole(slotMs))).toMatchObject({
      kind: 'FETCHED',
      fetched: { kind: 'READING' },
    });
    expect(await ledger()).toEqual(before);
    expect(await database.db.selectFrom('metric_snapshots').selectAll().execute()).toEqual(days);
  });

  test('a day that a later slot has written keeps it, and the plant and its ledger are not touched', async () => {
    await polledPlant();
    const { activities, setClock } = testActivities(database, {
      checkpoint: async (name) => {
        if (name !== 'after vendor answer') return;
        await database.db
          .updateTable('metric_snapshots')
          .set({ slot: new Date(slotMs + 1) })
          .where('date', '=', '2026-06-11')
          .execute();
      },
    });
    setClock(slotMs);
    const before = await ledger();
    const plant = await findPlant(database.db, 'plant');
    expect((await activities.pollWhole(whole(slotMs))).kind).toBe('FETCHED');
    expect(await ledger()).toEqual(before);
    expect(await findPlant(database.db, 'plant')).toEqual(plant);
  });

  test('one plant that PostgreSQL does not take leaves the polls written with it to the single steps, with what the vendors said', async () => {
    await insertTestPlant(database.db, { activated_at: new Date(activatedMs) });
    await playPlant(testActivities(database), 'plant', slotMs - intervalMs, slotMs - 1);
    const { activities, setClock } = testActivities(database);
    setClock(slotMs);
    const before = await ledger();
    const bad = whole(slotMs, { trigger: 'NOBODYS' as never });
    expect(await activities.pollWhole(bad)).toMatchObject({
      kind: 'FETCHED',
      fetched: { kind: 'READING' },
    });
    expect(await ledger()).toEqual(before);
    expect((await findPlant(database.db, 'plant'))?.last_slot?.getTime()).toBeLessThan(slotMs);
  });

  test('writes off what was missed with its own row: each slot, and one row for all older ones', async () => {
    const { activities, setClock } = await polledPlant();
    const nowMs = slotMs + 5 * intervalMs;
    setClock(nowMs);
    const missed = {
      rows: { fromMs: slotMs + 2 * intervalMs, toMs: slotMs + 4 * intervalMs },
      overflow: { slotMs, slots: 2 },
    };
    const result = await activities.pollWhole(whole(nowMs, { trigger: 'CATCH_UP', missed }));
    expect(result.kind).toBe('ENDED');
    const rows = (await ledger()).slice(0, 5).toReversed();
    expect(
      rows.map(({ scheduled_for, outcome, slots_missed }) => ({
        n: (scheduled_for.getTime() - slotMs) / intervalMs,
        outcome,
        slots_missed,
      })),
    ).toEqual([
      { n: 0, outcome: 'MISSED', slots_missed: 2 },
      { n: 2, outcome: 'MISSED', slots_missed: 1 },
      { n: 3, outcome: 'MISSED', slots_missed: 1 },
      { n: 4, outcome: 'MISSED', slots_missed: 1 },
      { n: 5, outcome: 'OK', slots_missed: null },
    ]);
  });

  test('a missed slot that was booked before its worker died is left to the single steps', async () => {
    const { activities, setClock } = await polledPlant();
    setClock(slotMs + intervalMs);
    const missed = { rows: { fromMs: slotMs - intervalMs, toMs: slotMs }, overflow: null };
    const before = await ledger();
    expect(
      await activities.pollWhole(whole(slotMs + intervalMs, { trigger: 'CATCH_UP', missed })),
    ).toEqual({ kind: 'STEPS' });
    expect(await ledger()).toEqual(before);
  });

  test('a plant that somebody holds is left to the single steps; those that poll with it are written', async () => {
    for (const id of ['free', 'taken']) {
      await insertTestPlant(database.db, {
        id,
        vendor_plant_id: `130000000000000000${id.length}`,
        activated_at: new Date(activatedMs),
      });
      const player = testActivities(database, { plantId: id });
      await playPlant(player, id, slotMs - intervalMs, slotMs - 1);
    }
    const letGo = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding: Promise<void>[] = [];
    const { activities, setClock } = testActivities(database, {
      isLocal: true,
      checkpoint: async (name) => {
        if (name !== 'before vendor call') return;
        if (holding.length === 0)
          holding.push(
            database.db.transaction().execute(async (trx) => {
              await sql`select from plants where id = 'taken' for update`.execute(trx);
              held.resolve();
              await letGo.promise;
            }),
          );
        await held.promise;
      },
    });
    setClock(slotMs);
    const results = await Promise.all(
      ['free', 'taken'].map((plantId) => activities.pollWhole(whole(slotMs, { plantId }))),
    );
    expect(results.map(({ kind }) => kind)).toEqual(['ENDED', 'FETCHED']);
    letGo.resolve();
    await Promise.all(holding);
    expect(await ledger('free')).toHaveLength(2);
    expect(await ledger('taken')).toHaveLength(1);
  });

  test('a migration that adds a column to the plants does not stop the polls of a worker that runs', async () => {
    const { activities, setClock } = await polledPlant();
    setClock(slotMs);
    expect((await activities.pollWhole(whole(slotMs))).kind).toBe('ENDED');
    await sql`alter table plants add column newer text`.execute(database.db);
    try {
      setClock(slotMs + intervalMs);
      expect((await activities.pollWhole(whole(slotMs + intervalMs))).kind).toBe('ENDED');
    } finally {
      await sql`alter table plants drop column newer`.execute(database.db);
    }
  });

  test('a call that was given up while it waited for the database asks no vendor', async () => {
    await polledPlant();
    const asked: string[] = [];
    const given = new AbortController();
    const { activities, setClock } = testActivities(database, {
      isLocal: true,
      signal: given.signal,
      checkpoint: async (name) => void asked.push(name),
    });
    setClock(slotMs);
    const poll = activities.pollWhole(whole(slotMs));
    given.abort(new CancelledFailure('given up'));
    await expect(poll).rejects.toThrow('given up');
    expect(asked).toEqual([]);
  });

  test('plants that poll together each have their own, also where one of them is out of the ordinary', async () => {
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) {
      await insertTestPlant(database.db, {
        id,
        vendor_plant_id: `130000000000000000${ids.indexOf(id) + 1}`,
        activated_at: new Date(activatedMs),
      });
      await playPlant(
        testActivities(database, { plantId: id }),
        id,
        slotMs - intervalMs,
        slotMs - 1,
      );
    }
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'DISABLED_BY_OPERATOR' })
      .where('id', '=', 'b')
      .execute();
    const { activities, setClock } = testActivities(database, { isLocal: true });
    setClock(slotMs);
    const results = await Promise.all(
      [...ids, 'nobody'].map((plantId) => activities.pollWhole(whole(slotMs, { plantId }))),
    );
    expect(results.map(({ kind }) => kind)).toEqual([
      'ENDED',
      'FETCHED',
      'ENDED',
      'ENDED',
      'FETCHED',
    ]);
    for (const [id, rows] of [
      ['a', 2],
      ['b', 1],
      ['c', 2],
      ['d', 2],
    ] as const)
      expect(await ledger(id)).toHaveLength(rows);
  });
});

/** What the rules and people see of a plant's life, without ids and durations. */
async function life(plantId: string) {
  const { db } = database;
  const plain = <Row extends object>(rows: readonly Row[], ...left: (keyof Row)[]) =>
    rows.map((row) => ({ ...row, ...Object.fromEntries(left.map((name) => [name, null])) }));
  const lastPoll = (poll: unknown) => ({ ...(poll as object), durationMs: 0 });
  const plant = await findPlant(db, plantId);
  return {
    plant: {
      ...plant,
      id: null,
      name: null,
      created_at: null,
      last_poll: lastPoll(plant?.last_poll),
    },
    rows: plain(await ledger(plantId), 'plant_id', 'workflow_id', 'duration_ms'),
    days: plain(
      await db
        .selectFrom('metric_snapshots')
        .selectAll()
        .where('plant_id', '=', plantId)
        .orderBy('date')
        .execute(),
      'plant_id',
      'updated_at',
    ),
    alerts: plain(
      await db
        .selectFrom('alerts')
        .selectAll()
        .where('plant_id', '=', plantId)
        .orderBy('id')
        .execute(),
      'id',
      'plant_id',
    ),
  };
}

/** Lives with ordinary polls, and with all that makes a poll another: nights, dead loggers, alarms, low generation, refusals. */
const lives: readonly (readonly [Brand, string])[] = [
  ['SOLIS', 'ordinary-day'],
  ['SOLIS', 'asleep-at-night'],
  ['SOLIS', 'energy-20-percent'],
  ['SOLIS', 'fault-raised-escalated-restored'],
  ['DELE', 'yesterday-at-dawn'],
  ['HUAWEI', 'one-inverter-dead'],
  ['GOODWE', 'stale-5h'],
  ['GOODWE', 'http-500'],
  ['DELE', 'alarm-open'],
];

test.each(lives)(
  '%s, %s: a poll in one step leaves the same as one in single steps, over four days',
  { timeout: 120_000 },
  async (brand, scenario) => {
    const { vendorPlantId, capacityKw } = playing(brand, scenario);
    const lived = [];
    for (const course of ['WHOLE', 'STEPS'] as const) {
      await database.db.deleteFrom('poll_logs').execute();
      await database.db.deleteFrom('plants').execute();
      await insertTestPlant(database.db, {
        brand,
        vendor_plant_id: vendorPlantId,
        installed_capacity_kw: capacityKw,
        latitude: 52.4,
        longitude: 4.9,
        poll_interval_s: 1_800,
        activated_at: new Date(activatedMs),
      });
      const player = testActivities(database);
      const { pollWhole } = player.activities;
      const ended: boolean[] = [];
      player.activities.pollWhole = async (args) => {
        const result = await pollWhole(args);
        ended.push(result.kind === 'ENDED');
        return result;
      };
      await playPlant({ ...player, course }, 'plant', activatedMs, activatedMs + 4 * dayMs);
      lived.push(await life('plant'));
      if (course === 'WHOLE' && scenario === 'ordinary-day')
        expect(ended.filter(Boolean).length / ended.length).toBeGreaterThan(0.95);
    }
    expect(lived[0]).toEqual(lived[1]);
    expect(lived[0]?.rows.length).toBeGreaterThan(180);
  },
);
