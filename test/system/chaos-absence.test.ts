import { describe, expect, test } from 'vitest';

import { startLoop } from '../../operations/plants/loops.ts';
import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import {
  chaosBrand,
  chaosRounds,
  expectCleanAudit,
  onFleet,
  plantIdsDueAt,
  pollRows,
} from '../support/chaos.ts';
import { addPlant, eventually, ordinarySolis, type TestFleet } from '../support/fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** Polled so often that 20 slots pass while nobody polls. */
const oftenS = 1;
const slotsMissed = 20;
const often = ['often-1', 'often-2', 'often-3'];
/** Plants of one slot, which comes when nobody polls: a fleet that is late at once. */
const rarelyS = 60;
const rarelyCount = 12;
/** Late loops wait for up to a sixth of the interval; these twelve all within a fifth of that: one in 20 million. */
const spreadMsMin = ((rarelyS * 1_000) / 6) * 0.2;

describe('no worker for 20 slots', () => {
  test(
    'one poll of each plant on return, the slots before it MISSED, and no storm',
    { timeout: chaosRounds * 180_000 },
    async () => {
      for (let round = 0; round < chaosRounds; round += 1) await onFleet(beAbsentOnce);
    },
  );
});

async function beAbsentOnce(fleet: TestFleet): Promise<void> {
  const first = await startTestWorker(fleet, { reconcile: false });
  // In the midst of the absence, whatever the time that comes before it.
  const rareSlotMs = Date.now() + 25_000;
  const rarely = plantIdsDueAt(rareSlotMs, rarelyS * 1_000, rarelyCount);
  try {
    for (const id of rarely) await add(fleet, id, rarelyS);
    for (const id of often) await add(fleet, id, oftenS);
    await eventually('polls of every plant', async () => {
      const plants = (await pollRows(fleet.db)).map((row) => row.plant_id);
      return new Set(plants).size === rarely.length + often.length;
    });
  } finally {
    await stopWorker(first);
  }
  const leftAtMs = Date.now();
  expect(leftAtMs).toBeLessThan(rareSlotMs);
  const returnsAtMs = Math.max(leftAtMs + (slotsMissed + 1) * oftenS * 1_000, rareSlotMs + 8_000);
  await new Promise((resolve) => setTimeout(resolve, returnsAtMs - leftAtMs));

  const second = await startTestWorker(fleet, { reconcile: false });
  try {
    await eventually(
      'polls of every plant after the return',
      async () => {
        const rows = await pollRows(fleet.db);
        const later = rows.filter(
          (row) => Number(row.started_at) >= returnsAtMs && row.outcome === 'OK',
        );
        return new Set(later.map((row) => row.plant_id)).size === rarely.length + often.length;
      },
      60_000,
    );
  } finally {
    await stopWorker(second);
  }
  const rows = await pollRows(fleet.db);
  for (const id of often) {
    expectMissedThenOne(
      rows.filter((row) => row.plant_id === id),
      leftAtMs,
      returnsAtMs,
    );
  }
  expectSpread(rows.filter((row) => rarely.includes(row.plant_id) && row.trigger !== 'START'));
  await expectCleanAudit(fleet);
}

let plantsMade = 0;

async function add(fleet: TestFleet, id: string, intervalS: number): Promise<void> {
  plantsMade += 1;
  const vendorPlantId = ordinarySolis(plantsMade);
  await addPlant(fleet.db, fleet.config, { id, brand: chaosBrand, vendorPlantId, intervalS });
  await startLoop(fleet.client, { id, name: id, brand: chaosBrand });
}

/** The slots of the absence: MISSED each, but for the newest one, which was polled late. */
function expectMissedThenOne(rows: PollLogRow[], leftAtMs: number, returnsAtMs: number): void {
  // A poll of an earlier slot may have been in hand when the worker left; it is done on return.
  const since = rows.filter((row) => row.scheduled_for.getTime() > leftAtMs);
  const returned = since.findIndex((row) => Number(row.started_at) >= returnsAtMs);
  expect(since[returned]).toMatchObject({ trigger: 'CATCH_UP', outcome: 'OK' });
  const absent = since.slice(0, returned);
  expect(absent.length).toBeGreaterThanOrEqual(slotsMissed);
  expect(absent.filter((row) => row.outcome !== 'MISSED')).toEqual([]);
}

/** Late at the same instant, polled each at its own. */
function expectSpread(rows: PollLogRow[]): void {
  expect(rows.map((row) => row.trigger)).toEqual(rows.map(() => 'CATCH_UP'));
  expect(rows).toHaveLength(rarelyCount);
  const startedAtMs = rows.map((row) => Number(row.started_at));
  expect(Math.max(...startedAtMs) - Math.min(...startedAtMs)).toBeGreaterThan(spreadMsMin);
}
