import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { type ActiveAlert, AlertBook, type Audience, type EndedAlert } from '../domain/alerts.ts';
import { hourMs, minuteMs } from '../domain/zone.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import {
  acknowledge,
  activeAlertsOf,
  type AlertSubject,
  type AlertSubjects,
  applyAlertChanges,
  endedAlertsOf,
  listAlertEvents,
  silence,
} from './alerts.ts';

/** The life of alerts of a second kind of subject: kettles, which no context knows, beside the plants. */

const kettles: AlertSubjects = { kind: 'KETTLE', table: 'kettles', column: 'kettle_id' };
const kettle: AlertSubject = { ...kettles, id: 'red kettle' };
const by = { actor: 'ana@example.com', requestId: null };
const noonMs = Date.parse('2026-06-10T12:00:00Z');
const dry = {
  type: 'BOILED_DRY',
  vendorAlarmCode: null,
  deviceSn: 'ELEMENT-1',
  severity: 'YELLOW',
  message: 'The kettle has boiled dry.',
} as const;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  // What a migration of such a context does.
  await sql`
    create table kettles (id text primary key, alerts_silenced_until timestamptz);
    alter table alerts add column kettle_id text references kettles (id) on delete cascade,
      drop constraint alerts_type_check, drop constraint alerts_one_subject,
      add check (num_nonnulls(plant_id, gateway_id, kettle_id) = 1);
    drop index alerts_one_active;
    create unique index alerts_one_active on alerts (plant_id, kettle_id, type, vendor_alarm_code, device_sn)
      nulls not distinct where state in ('NEW', 'ACKED')`.execute(database.db);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await sql`delete from kettles`.execute(database.db);
  await database.db.deleteFrom('audit_log').execute();
  await sql`insert into kettles (id) values (${kettle.id}), ('blue kettle')`.execute(database.db);
});

async function read(nowMs: number, { id } = kettle) {
  const now = sql<Date>`${new Date(nowMs)}::timestamptz`;
  const of = sql`a.kettle_id = ${id}`;
  const { rows } = await sql<{
    active: ActiveAlert[];
    ended: EndedAlert[];
    silenced_until: Date | null;
  }>`
    select alerts_silenced_until as silenced_until, ${activeAlertsOf(of)} as active,
      ${endedAlertsOf(of, { now, since: now })} as ended
    from kettles where id = ${id}`.execute(database.db);
  return rows[0] ?? { active: [], ended: [], silenced_until: null };
}

/** One evaluation, as a context makes it: what holds and what does not is in `judge`. */
async function evaluate(nowMs: number, judge: (book: AlertBook) => void = () => {}): Promise<void> {
  const { active, ended, silenced_until } = await read(nowMs);
  const audience: Audience = {
    timezone: 'UTC',
    silencedUntilMs: silenced_until?.getTime() ?? null,
    isPaused: false,
    isWithheld: () => false,
    isUrgent: ({ severity }) => severity === 'RED',
  };
  const book = new AlertBook({ active, ended }, audience, nowMs);
  judge(book);
  book.remind();
  await database.db
    .transaction()
    .execute((trx) => applyAlertChanges(trx, kettle, book.changes, { active, nowMs }));
}

const holds = (severity: 'YELLOW' | 'RED', startedAtMs: number) => (book: AlertBook) =>
  book.report({ ...dry, severity, startedAtMs });
const ends = (book: AlertBook) => book.resolve(dry, 'It was filled.');

const said = () =>
  database.db
    .selectFrom('notifications')
    .select(['subject_kind', 'subject_id', 'kind', 'severity', 'not_before', 'dropped_at'])
    .orderBy('id')
    .execute();
const kindsSaid = async () => (await said()).map(({ kind }) => kind);
const newest = () =>
  database.db
    .selectFrom('alerts')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();

describe('an alert of another subject', () => {
  test('is raised once, rises, and is resolved; each step is an event and is announced', async () => {
    await evaluate(noonMs, holds('YELLOW', noonMs));
    await evaluate(noonMs + minuteMs, holds('YELLOW', noonMs + minuteMs));
    await evaluate(noonMs + 2 * minuteMs, holds('RED', noonMs + 2 * minuteMs));
    await evaluate(noonMs + 3 * minuteMs, ends);
    const alert = await newest();
    expect(alert).toMatchObject({
      plant_id: null,
      kettle_id: kettle.id,
      device_sn: 'ELEMENT-1',
      severity: 'RED',
      state: 'RESOLVED',
      started_at: new Date(noonMs),
      last_seen_at: new Date(noonMs + 2 * minuteMs),
      resolved_at: new Date(noonMs + 3 * minuteMs),
    });
    expect(await listAlertEvents(database.db, alert.id)).toMatchObject([
      { from_state: null, to_state: 'NEW', severity: 'YELLOW', reason: dry.message },
      { from_state: 'NEW', to_state: 'NEW', severity: 'RED', actor: 'loop' },
      { from_state: 'NEW', to_state: 'RESOLVED', severity: 'RED', reason: 'It was filled.' },
    ]);
    const subject = { subject_kind: 'KETTLE', subject_id: kettle.id, dropped_at: null };
    expect(await said()).toMatchObject([
      { ...subject, kind: 'RAISED', severity: 'YELLOW' },
      { ...subject, kind: 'ESCALATED', severity: 'RED' },
      { ...subject, kind: 'RECOVERED', severity: 'RED' },
    ]);
  });

  test('is acknowledged by a person, and NEW again after the time that the person named', async () => {
    await evaluate(noonMs, holds('YELLOW', noonMs));
    const { id } = await newest();
    const until = new Date(noonMs + 7 * hourMs);
    const ack = { comment: 'I fetch water', until };
    const acked = await acknowledge(database.db, id, ack, { by, at: new Date(noonMs) });
    expect(acked).toMatchObject({ kind: 'ACKED', alert: { id, acked_by: by.actor } });
    await evaluate(until.getTime() - 1, holds('YELLOW', noonMs));
    expect((await newest()).state).toBe('ACKED');
    expect(await kindsSaid()).toEqual(['RAISED']);
    await evaluate(until.getTime(), holds('YELLOW', noonMs));
    expect((await newest()).state).toBe('NEW');
    expect(await kindsSaid()).toEqual(['RAISED', 'REMINDER']);
    expect((await listAlertEvents(database.db, id)).map((event) => event.to_state)).toEqual([
      'NEW',
      'ACKED',
      'NEW',
    ]);
    await evaluate(until.getTime() + 1, ends);
    const late = await acknowledge(database.db, id, ack, { by, at: until });
    expect(late).toMatchObject({ kind: 'RESOLVED' });
  });

  test('is kept and not announced while its subject is silenced; the others are told of', async () => {
    const quiet = { until: new Date(noonMs + hourMs), reason: 'descaling' };
    const wish = { ...kettles, ids: ['red kettle', 'no kettle'] };
    expect(await silence(database.db, wish, quiet, { by, at: new Date() })).toEqual(['red kettle']);
    await evaluate(noonMs, holds('RED', noonMs));
    expect((await newest()).state).toBe('NEW');
    expect(await said()).toEqual([]);
    await evaluate(noonMs + hourMs, holds('RED', noonMs));
    expect(await kindsSaid()).toEqual(['RAISED']);
    expect((await read(noonMs, { ...kettle, id: 'blue kettle' })).silenced_until).toBeNull();
    await silence(database.db, wish, { until: null, reason: null }, { by, at: new Date() });
    const audit = await database.db.selectFrom('audit_log').selectAll().orderBy('id').execute();
    expect(audit).toMatchObject([
      { action: 'kettle.silence', subject_type: 'KETTLE', subject_id: 'red kettle' },
      { action: 'kettle.unsilence', before: { alerts_silenced_until: quiet.until.toISOString() } },
    ]);
  });

  test('that comes back within six hours is not announced again', async () => {
    await evaluate(noonMs, holds('RED', noonMs));
    await evaluate(noonMs + minuteMs, ends);
    await evaluate(noonMs + hourMs, holds('RED', noonMs + hourMs));
    expect(await kindsSaid()).toEqual(['RAISED', 'RECOVERED']);
    expect((await newest()).last_notified_at).toEqual(new Date(noonMs));
  });

  test('that ends before the morning is dropped with its recovery', async () => {
    const nightMs = noonMs - 10 * hourMs;
    await evaluate(nightMs, holds('YELLOW', nightMs));
    await evaluate(nightMs + minuteMs, ends);
    expect(await said()).toMatchObject([
      {
        kind: 'RAISED',
        not_before: new Date(noonMs - 5 * hourMs),
        dropped_at: new Date(nightMs + minuteMs),
      },
    ]);
  });

  test('goes with its subject, and what was to be said of it too', async () => {
    await evaluate(noonMs, holds('RED', noonMs));
    await sql`delete from kettles`.execute(database.db);
    expect(await said()).toEqual([]);
  });
});

test('a change of an alert that is not active is refused by name', async () => {
  const changes = [{ kind: 'SEEN', id: '1' }] as const;
  const applied = applyAlertChanges(database.db, kettle, changes, { active: [], nowMs: noonMs });
  await expect(applied).rejects.toThrow('not an active one of KETTLE red kettle');
});
