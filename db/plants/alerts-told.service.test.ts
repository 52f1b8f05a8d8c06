import { beforeEach, describe, expect } from 'vitest';

import type { AlertChange, NewAlert } from '../../domain/plants/changes.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { applyAlertChanges } from '../alerts.ts';
import { listAlerts, plantSubject, readAlertsBefore } from './alerts.ts';
import { database, test } from '../../test/support/test-database.ts';

const plantId = 'plant';
const nightMs = Date.parse('2026-06-11T01:00:00Z');
const morningMs = nightMs + 4 * 3_600_000;
const hourMs = 3_600_000;

const fault: NewAlert = {
  type: 'MOCK_FAULT',
  vendorAlarmCode: '2032',
  deviceSn: null,
  severity: 'YELLOW',
  startedAtMs: nightMs,
  message: 'Grid loss.',
  vendorLevel: '3',
  vendorText: 'Grid loss',
  muted: false,
  lastNotifiedAtMs: morningMs,
};

beforeEach(async () => {
  await database.db.deleteFrom('plants').execute();
  await insertTestPlant(database.db);
  await apply(
    { kind: 'RAISE', alert: fault, announce: { kind: 'RAISED', notBeforeMs: morningMs } },
    nightMs,
  );
});

const read = (nowMs: number) => readAlertsBefore(database.db, plantId, { nowMs });

async function apply(change: AlertChange, nowMs: number): Promise<void> {
  const active = (await read(nowMs))?.before.active ?? [];
  await applyAlertChanges(database.db, plantSubject(plantId), [change], { active, nowMs });
}

async function activeId(): Promise<string> {
  return (await read(nightMs))?.before.active[0]?.id ?? '';
}

const rise = {
  kind: 'RISE',
  severity: 'RED',
  words: { message: 'Worse.', vendorLevel: '1', vendorText: 'WORSE' },
} as const;

describe('an announcement that was to come', () => {
  test('is dropped with its alert, and the next alert of the key does not count it', async () => {
    const end = { atMs: nightMs + hourMs, reason: 'over', dropPending: true, announce: null };
    await apply({ kind: 'RESOLVE', id: await activeId(), ...end }, nightMs + hourMs);
    const after = await read(morningMs + hourMs);
    expect(after?.before.ended).toMatchObject([{ lastNotifiedAtMs: null }]);
  });

  test('gives way to that of a rise which is told at once', async () => {
    const riseMs = nightMs + hourMs;
    const announce = { kind: 'ESCALATED', notBeforeMs: riseMs } as const;
    await apply({ ...rise, id: await activeId(), announce }, riseMs);
    expect((await database.db.selectFrom('alerts').selectAll().execute())[0]).toMatchObject({
      message: 'Worse.',
      vendor_level: '1',
      vendor_text: 'WORSE',
    });
    const told = await database.db
      .selectFrom('notifications')
      .select(['kind', 'dropped_at'])
      .orderBy('id')
      .execute();
    expect(told).toEqual([
      { kind: 'RAISED', dropped_at: new Date(riseMs) },
      { kind: 'ESCALATED', dropped_at: null },
    ]);
  });

  test('stays where a silence withholds the rise', async () => {
    await apply({ ...rise, id: await activeId(), announce: null }, nightMs + hourMs);
    const told = await database.db.selectFrom('notifications').select('dropped_at').execute();
    expect(told).toEqual([{ dropped_at: null }]);
  });
});

describe('when people were told', () => {
  const shown = async () => {
    const [alert] = await listAlerts(database.db, { plantId, limit: 1 });
    return alert?.last_notified_at?.getTime() ?? null;
  };

  test('never lies ahead: an announcement for the morning has told nobody yet', async () => {
    const laterMs = Date.now() + hourMs;
    const announce = { kind: 'ESCALATED', notBeforeMs: laterMs } as const;
    await apply({ ...rise, id: await activeId(), announce }, nightMs);
    expect(await shown()).toBeNull();
  });

  test('is the last time that has come, while another announcement waits', async () => {
    expect(await shown()).toBe(morningMs);
    const announce = { kind: 'REMINDER', notBeforeMs: Date.now() + hourMs } as const;
    await apply({ kind: 'REMIND', id: await activeId(), announce }, morningMs + hourMs);
    expect(await shown()).toBe(morningMs);
  });
});
