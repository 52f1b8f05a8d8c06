import { randomBytes } from 'node:crypto';

import { sql } from 'kysely';

import { loadConfig } from '../../environment/config.ts';
import { instant } from '../../db/database.ts';
import { createTestApi, type TestApi } from './api.ts';
import { addPlant } from './fleet.ts';
import { addGateways, testGateway } from './gateways.ts';
import { insertProblem } from './problems.ts';
import type { KnownIds } from './openapi.ts';

/** An API over two plants, one of customer `noord` and one of `sul`, each with an alert, a day, a poll and a gateway. */
export interface ApiFleet {
  api: TestApi;
  /** Who may see one of them: `customer@example.org` is of `noord`. */
  own: KnownIds;
  foreign: KnownIds;
}

export async function createApiFleet(
  given: Parameters<typeof createTestApi>[0] = {},
): Promise<ApiFleet> {
  const api = await createTestApi(given);
  const things = await addNotificationThings(api);
  return {
    api,
    own: { ...(await addFurnishedPlant(api, 'noord-1', 'noord')), ...things },
    foreign: await addFurnishedPlant(api, 'sul-1', 'sul'),
  };
}

/** Two channels, one of which a route leads to, a delivery that was given up, and a problem. They belong to no customer. */
async function addNotificationThings({ db, clock }: TestApi): Promise<KnownIds> {
  const at = instant(clock.nowMs - 60_000);
  const seal = { key_version: 'test', iv: randomBytes(12), sealed: randomBytes(64) };
  const channel = { kind: 'EMAIL', source: 'DATABASE', created_by: 'test', ...seal } as const;
  const [used, unused] = await db
    .insertInto('notification_channels')
    .values([
      { ...channel, name: 'mail' },
      { ...channel, name: 'spare' },
    ])
    .returning('id')
    .execute();
  if (used === undefined || unused === undefined) throw new Error('there are no channels');
  const route = await db
    .insertInto('notification_routes')
    .values({
      name: 'operators',
      channel_id: used.id,
      recipients: ['op@example.org'],
      created_by: 'test',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const message = await db
    .insertInto('messages')
    .values({ route_id: route.id, kind: 'ALERTS', created_at: at })
    .returning('id')
    .executeTakeFirstOrThrow();
  const delivery = await db
    .insertInto('deliveries')
    .values({
      message_id: message.id,
      channel_id: used.id,
      recipient: 'op@example.org',
      state: 'DEAD',
      attempts: 1,
      next_attempt_at: at,
      finished_at: at,
      answer: '550 no such user',
      created_at: at,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db
    .insertInto('delivery_attempts')
    .values({
      delivery_id: delivery.id,
      attempt: 1,
      at,
      ended_at: at,
      outcome: 'RECIPIENT_REFUSED',
      answer: '550 no such user',
    })
    .execute();
  const problemId = await insertProblem(db, { at });
  return {
    '/api/v1/notifications/channels/': [used, unused].map(({ id }) => String(id)),
    '/api/v1/notifications/routes/': [String(route.id)],
    '/api/v1/notifications/deliveries/': [String(delivery.id)],
    '/api/v1/problems/': [String(problemId)],
  };
}

async function addFurnishedPlant(api: TestApi, id: string, customerId: string): Promise<KnownIds> {
  const { db } = api;
  const config = loadConfig({ MASTER_KEY_CURRENT: randomBytes(32).toString('base64') });
  await addPlant(db, config, { id, vendorPlantId: `vendor-${id}` });
  await db.updateTable('plants').set({ customer_id: customerId }).where('id', '=', id).execute();
  const at = instant(api.clock.nowMs - 60_000);
  const alert = await db
    .insertInto('alerts')
    .values({
      plant_id: id,
      type: 'MOCK_FAULT',
      vendor_alarm_code: '2129',
      device_sn: 'SN1',
      severity: 'RED',
      state: 'NEW',
      message: 'PV ISO-PRO',
      vendor_level: null,
      vendor_text: null,
      started_at: at,
      last_seen_at: at,
      acked_at: null,
      acked_by: null,
      acked_until: null,
      resolved_at: null,
      last_notified_at: null,
      ack_comment: null,
      estimated_lost_kwh: null,
      at_risk_kwh: null,
      estimated_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db
    .insertInto('metric_snapshots')
    .values({
      plant_id: id,
      date: at.toISOString().slice(0, 10),
      today_energy_kwh: 12.5,
      peak_power_w: 4_200,
      lifetime_energy_kwh: null,
      quality: 'LIVE',
      complete: false,
      last_seen_at: at,
      live_energy_kwh: null,
      totals_by_time: null,
      proposed_energy_kwh: null,
      slot: at,
      claim: null,
    })
    .execute();
  await db
    .insertInto('poll_logs')
    .values({
      plant_id: id,
      job_type: 'POLL',
      scheduled_for: at,
      trigger: 'SCHEDULE',
      status: 'SUCCESS',
      outcome: 'OK',
      started_at: at,
      attempts: 1,
      power_w: 4_200,
      today_energy_kwh: 12.5,
      workflow_id: `poll:plant:${id}:latest`,
      run_id: 'r',
    })
    .execute();
  return {
    ...(await addFurnishedGateway(api, id)),
    '/api/v1/plants/': [id],
    '/api/v1/alerts/': [String(alert.id)],
    '/api/v1/accounts/': [`account-${id}`],
  };
}

/** A gateway on the site of a plant, with an alert and a poll. */
async function addFurnishedGateway({ db, clock }: TestApi, plantId: string): Promise<KnownIds> {
  const id = `gateway-${plantId}`;
  const atMs = clock.nowMs - 60_000;
  await addGateways(db, [testGateway(id, { plantId })], atMs);
  const at = instant(atMs);
  await sql`
    insert into gateway_readings (gateway_id, read_at, "trigger", outcome, late_ms, duration_ms, requests, map_id, "values", quality)
    select id, ${at}, 'SCHEDULE', 'OK', 2, 38, 1, map_id, ${[4_200, 88.5]}::float8[], null
    from gateways where id = ${id}`.execute(db);
  const { rows } = await sql<{ id: number }>`
    insert into alerts (gateway_id, type, severity, state, message, started_at, last_seen_at)
    values (${id}, 'GATEWAY_OFFLINE', 'RED', 'NEW', 'No answer', ${at}, ${at}) returning id`.execute(
    db,
  );
  const alertIds = rows.map((row) => String(row.id));
  return {
    '/api/v1/gateways/': [id],
    '/api/v1/gateway-alerts/': alertIds,
    '/api/v1/gateways/alerts/': alertIds,
  };
}
