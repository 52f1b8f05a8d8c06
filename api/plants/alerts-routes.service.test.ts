import { describe, expect } from 'vitest';

import { insertTestPlant } from '../../test/support/activities.ts';
import { api, test } from '../../test/support/test-api.ts';

const operator = 'operator@example.org';
/** Of the customer noord. */
const customer = 'customer@example.org';
const byName = new Map<string, number>();

test.beforeAll(async () => {
  await insertTestPlant(api.db, { id: 'mine', vendor_plant_id: 'm', customer_id: 'noord' });
  await insertTestPlant(api.db, { id: 'theirs', vendor_plant_id: 't', brand: 'HUAWEI' });
  const hour = (n: number) => new Date(Date.UTC(2026, 5, 1, n));
  const alert = (name: string, plant_id: string, startedAt: number) => ({
    plant_id,
    type: 'MOCK_FAULT' as const,
    vendor_alarm_code: name,
    message: name,
    started_at: hour(startedAt),
    last_seen_at: hour(startedAt),
  });
  const rows = await api.db
    .insertInto('alerts')
    .values([
      { ...alert('yellow-old', 'mine', 1), severity: 'YELLOW', state: 'NEW' },
      { ...alert('red-new', 'mine', 5), severity: 'RED', state: 'NEW' },
      { ...alert('red-old', 'theirs', 2), severity: 'RED', state: 'ACKED', acked_at: hour(3) },
      {
        ...alert('ended-first', 'mine', 0),
        severity: 'RED',
        state: 'RESOLVED',
        resolved_at: hour(6),
      },
      {
        ...alert('ended-last', 'theirs', 0),
        severity: 'YELLOW',
        state: 'RESOLVED',
        resolved_at: hour(7),
      },
    ])
    .returning(['id', 'message'])
    .execute();
  for (const { id, message } of rows) byName.set(message, id);
  await api.db
    .insertInto('notifications')
    .values([
      {
        alert_id: byName.get('red-new') ?? 0,
        subject_kind: 'PLANT',
        subject_id: 'mine',
        kind: 'RAISED',
        severity: 'RED',
        created_at: hour(5),
        not_before: hour(5),
        dropped_at: null,
        is_end: false,
      },
      {
        alert_id: byName.get('yellow-old') ?? 0,
        subject_kind: 'PLANT',
        subject_id: 'mine',
        kind: 'RAISED',
        severity: 'YELLOW',
        created_at: hour(1),
        not_before: hour(7),
        dropped_at: hour(2),
        drop_reason: 'ENDED',
        is_end: false,
      },
    ])
    .execute();
});

async function ask(email: string, method: string, path: string, body?: unknown) {
  const response = await api.ask(email, method, `/api/v1${path}`, body);
  return { status: response.status, body: JSON.parse(await response.text()) };
}
const names = (alerts: { message: string }[]) => alerts.map(({ message }) => message);
const idOf = (name: string) => byName.get(name) ?? 0;

describe('GET /alerts', () => {
  test('answers active ones: RED before YELLOW, the oldest first', async () => {
    expect(names((await ask(operator, 'GET', '/alerts')).body.alerts)).toEqual([
      'red-old',
      'red-new',
      'yellow-old',
    ]);
  });

  test('then resolved ones, the newest first; a page at a time each of them once', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body } = await ask(operator, 'GET', `/alerts?state=all&limit=2${from}`);
      expect(status).toBe(200);
      seen.push(...names(body.alerts));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(['red-old', 'red-new', 'yellow-old', 'ended-last', 'ended-first']);
    const whole = await ask(operator, 'GET', '/alerts?state=all&limit=5');
    expect(whole.body).toMatchObject({ alerts: { length: 5 }, next_cursor: null });
  });

  test('filters by state, severity, type, plant and brand', async () => {
    const found = async (query: string) =>
      names((await ask(operator, 'GET', `/alerts?${query}`)).body.alerts);
    expect(await found('state=acked')).toEqual(['red-old']);
    expect(await found('state=resolved&severity=RED')).toEqual(['ended-first']);
    expect(await found('severity=YELLOW')).toEqual(['yellow-old']);
    expect(await found('type=OFFLINE')).toEqual([]);
    expect(await found('plant=mine')).toEqual(['red-new', 'yellow-old']);
    expect(await found('brand=HUAWEI')).toEqual(['red-old']);
  });

  test("shows a customer own plants' alerts only", async () => {
    expect(names((await ask(customer, 'GET', '/alerts?state=all')).body.alerts)).toEqual([
      'red-new',
      'yellow-old',
      'ended-first',
    ]);
    expect((await ask(customer, 'GET', `/alerts/${idOf('red-old')}/events`)).status).toBe(404);
    expect((await ask(customer, 'GET', `/alerts/${idOf('red-new')}/events`)).status).toBe(200);
  });

  test.each(['cursor=x', 'cursor=W10', 'limit=201', 'state=old', 'plant=a%00b'])(
    'refuses %s',
    async (query) => {
      expect((await ask(operator, 'GET', `/alerts?${query}`)).status).toBe(422);
    },
  );
});

describe('POST /alerts/:id/ack', () => {
  test('acknowledges with a comment until a time, and tells who did', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const id = idOf('yellow-old');
    const acked = await ask(operator, 'POST', `/alerts/${id}/ack`, { comment: ' known ', until });
    expect(acked).toMatchObject({
      status: 200,
      body: { state: 'ACKED', acked_by: operator, acked_until: until, ack_comment: 'known' },
    });
    const { body } = await ask(operator, 'GET', `/alerts/${id}/events`);
    expect(body.events.at(-1)).toMatchObject({
      from_state: 'NEW',
      to_state: 'ACKED',
      actor: operator,
    });
  });

  test('refuses what has ended, what is not there, a time that has passed and a customer', async () => {
    const ack = (email: string, id: number, body: object = {}) =>
      ask(email, 'POST', `/alerts/${id}/ack`, body).then(({ status }) => status);
    expect(await ack(operator, idOf('ended-last'))).toBe(409);
    expect(await ack(operator, 999_999)).toBe(404);
    expect(await ack(operator, idOf('red-new'), { until: '2020-01-01T00:00:00Z' })).toBe(422);
    expect(await ack(operator, idOf('red-new'), { comment: 'x\u0000' })).toBe(422);
    expect(await ack(customer, idOf('red-new'))).toBe(403);
  });
});

describe('GET /notifications', () => {
  test('answers the outbox behind a row, dropped ones marked, and sends nothing', async () => {
    const first = await ask(operator, 'GET', '/notifications?limit=1');
    expect(first.body.notifications).toMatchObject([
      { kind: 'RAISED', severity: 'RED', plant_id: 'mine', dropped_at: null },
    ]);
    const second = await ask(operator, 'GET', `/notifications?after=${first.body.next_after}`);
    expect(second.body.notifications).toMatchObject([{ dropped_at: '2026-06-01T02:00:00.000Z' }]);
    const third = await ask(operator, 'GET', `/notifications?after=${second.body.next_after}`);
    expect(third.body).toEqual({ notifications: [], next_after: second.body.next_after });
    expect((await ask(customer, 'GET', '/notifications')).status).toBe(403);
  });
});
