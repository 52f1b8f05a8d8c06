import { beforeEach, describe, expect } from 'vitest';

import { insertTestPlant } from '../../test/support/activities.ts';
import { api, test } from '../../test/support/test-api.ts';

/** Page and REST read a plant by one reader: the same sentence, the same figures in a resolution that means something. */

const operator = 'operator@example.org';
const get = async <Body>(path: string) =>
  (await (await api.ask(operator, 'GET', `/api/v1${path}`)).json()) as Body;
const pageOf = async (path: string) =>
  (await (await api.ask(operator, 'GET', path)).text()).replaceAll(/\s+/g, ' ');

beforeEach(async () => {
  const { db } = api;
  for (const table of ['poll_logs', 'plants'] as const) await db.deleteFrom(table).execute();
  await insertTestPlant(db, { id: 'a', customer_id: null, timezone: 'UTC' });
  // Later than what the fleet's view keeps.
  api.clock.nowMs = Math.max(Date.now(), api.clock.nowMs + 5_000);
});

const at = (agoMs: number) => new Date(api.clock.nowMs - agoMs);
const minuteMs = 60_000;

/** Answered two minutes ago. */
async function seen(booked: object = {}): Promise<void> {
  await api.db
    .updateTable('plants')
    .set({
      status: 'GREEN',
      status_reason: 'SEEN_RECENTLY',
      last_seen_at: at(2 * minuteMs),
      last_seen_source: 'VENDOR',
      last_polled_at: at(minuteMs),
      last_slot: at(minuteMs),
      last_poll: JSON.stringify({
        outcome: 'OK',
        errorType: null,
        error: null,
        booked: { powerW: 4_000, sourceTimeMs: at(2 * minuteMs).getTime(), ...booked },
        startedAtMs: at(minuteMs).getTime(),
        durationMs: 20,
        attempts: 1,
      }),
    })
    .execute();
}

async function raise(alert: { message: string; estimated_lost_kwh?: number }): Promise<void> {
  await api.db
    .insertInto('alerts')
    .values({
      plant_id: 'a',
      type: 'DEVICE_DOWN',
      device_sn: 'INV-2',
      severity: 'YELLOW',
      state: 'NEW',
      started_at: at(30 * minuteMs),
      last_seen_at: at(minuteMs),
      ...alert,
    })
    .execute();
}

describe('a plant', () => {
  test('that is GREEN with a dead inverter says so, on the page and in REST', async () => {
    await seen();
    await raise({ message: 'Inverter INV-2 gives nothing while the others produce.' });
    const { plants } = await get<{ plants: { status: string; status_sentence: string }[] }>(
      '/plants',
    );
    expect(plants).toMatchObject([
      {
        status: 'GREEN',
        status_sentence: expect.stringMatching(
          /^Inverter INV-2 gives nothing while the others produce\. Last seen 2 min ago, at /,
        ),
      },
    ]);
    for (const path of ['/', '/plants/a'])
      expect(await pageOf(path)).toContain(
        'Inverter INV-2 gives nothing while the others produce. Last seen 2 min ago',
      );
  });

  test('has figures of 1 W and 1 Wh in JSON, whatever digits are stored', async () => {
    await seen({ powerW: 4_112.300_000_000_001 });
    await raise({ message: 'm', estimated_lost_kwh: 1 / 3 });
    const { db } = api;
    await db
      .insertInto('metric_snapshots')
      .values({
        plant_id: 'a',
        date: at(0).toISOString().slice(0, 10),
        today_energy_kwh: 0.1 + 0.2,
        peak_power_w: 4_112.300_000_000_001,
        lifetime_energy_kwh: 1_000 / 3,
        quality: 'LIVE',
        complete: false,
        last_seen_at: at(2 * minuteMs),
        slot: at(minuteMs),
      })
      .execute();
    await db
      .insertInto('poll_logs')
      .values({
        plant_id: 'a',
        job_type: 'POLL',
        scheduled_for: at(minuteMs),
        trigger: 'SCHEDULE',
        status: 'SUCCESS',
        outcome: 'OK',
        started_at: at(minuteMs),
        attempts: 1,
        power_w: 4_112.300_000_000_001,
        today_energy_kwh: 0.1 + 0.2,
        workflow_id: 'w',
        run_id: 'r',
      })
      .execute();
    const [list, plant, days, power, alerts] = await Promise.all(
      ['/plants', '/plants/a', '/plants/a/snapshots', '/plants/a/power', '/alerts'].map((path) =>
        get<Record<string, unknown>>(path),
      ),
    );
    expect(list).toMatchObject({
      totals: { power_now_w: 4_112, today_energy_kwh: 0.3 },
      plants: [{ power_w: 4_112, today_energy_kwh: 0.3, estimated_lost_kwh: 0.333 }],
    });
    const day = { today_energy_kwh: 0.3, peak_power_w: 4_112, lifetime_energy_kwh: 333.333 };
    expect(plant).toMatchObject({
      last_polls: [{ power_w: 4_112, today_energy_kwh: 0.3 }],
      days: [day],
    });
    expect(days).toMatchObject({ snapshots: [day] });
    expect(power).toMatchObject({ points: [[expect.any(String), 4_112]] });
    expect(alerts).toMatchObject({ alerts: [{ estimated_lost_kwh: 0.333 }] });
    // No number in any of these answers has digits that mean nothing.
    for (const answer of [list, plant, days, power, alerts])
      expect(JSON.stringify(answer)).not.toMatch(/\d\.\d{4,}[,}\]]/);
  });
});

test('a closing that the vendor refused does not read as one that succeeded', async () => {
  await seen();
  const closing = (hours: number, outcome: 'OK' | 'PARTIAL', error: string | null) => ({
    plant_id: 'a',
    job_type: 'DAILY' as const,
    scheduled_for: at(hours * 60 * minuteMs),
    trigger: 'SCHEDULE' as const,
    status: 'SUCCESS' as const,
    outcome,
    error,
    started_at: at(hours * 60 * minuteMs),
    attempts: 1,
    workflow_id: 'w',
    run_id: 'r',
  });
  await api.db
    .insertInto('poll_logs')
    .values([closing(30, 'OK', null), closing(6, 'PARTIAL', 'HTTP 503')])
    .execute();
  const page = await pageOf('/plants/a');
  expect(page).toContain('<span class="">day closed</span');
  expect(page).toContain('<span class="strong">day closed without the vendor&#39;s series</span');
});
