import { expect } from 'vitest';

import { findPlant } from '../../db/plants/plants.ts';
import { dayMs, hourMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { demoPlantsAt } from './fleet.ts';
import { playPlant } from './play.ts';

test('the silent plant of a demo stays silent: its last measurement is the same at every later poll', async () => {
  const { db } = database;
  const beginsAtMs = Date.parse('2026-06-11T12:00:00Z');
  const silent = demoPlantsAt(beginsAtMs).find(({ id }) => id === 'solis-silent');
  if (silent === undefined) throw new Error('the demo has no silent plant');
  const { account: _, active: __, strict: ___, ...plant } = silent;
  await insertTestPlant(db, {
    ...plant,
    poll_interval_s: 3_600,
    activated_at: new Date(beginsAtMs - 31 * dayMs),
  });
  const player = testActivities(database, { plantId: plant.id });
  const seenAfter = async (fromMs: number, toMs: number) => {
    await playPlant(player, plant.id, fromMs, toMs);
    const { status, last_seen_at: seenAt } = (await findPlant(db, plant.id)) ?? {};
    return { status, seenAt };
  };
  const seenAt = new Date(beginsAtMs - 26 * hourMs);
  expect(await seenAfter(beginsAtMs - 3 * hourMs, beginsAtMs)).toEqual({ status: 'RED', seenAt });
  expect(await seenAfter(beginsAtMs, beginsAtMs + 2 * hourMs)).toEqual({ status: 'RED', seenAt });
});

test('no plant of a demo is named by an age, which the next day makes wrong', () => {
  for (const { name } of demoPlantsAt(Date.now())) expect(name).not.toMatch(/\d+ (hours|days)/);
});
