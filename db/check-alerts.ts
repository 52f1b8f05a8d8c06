import { sql } from 'kysely';

import type { AlertSeverity, AlertState } from '../domain/alerts.ts';
import type { AlertSubjects } from './alerts.ts';
import { type Db, instant, query, queryRow } from './database.ts';

/** The check of the alerts of a kind of subject, and of their events, in SQL. */

/** A dedupe key that more than one active alert holds. */
export interface DoubledAlert {
  subjectId: string;
  key: string;
  alertIds: number[];
  startedAt: Date;
}

/** Keys with more than one active alert: possible only where the unique index is missing. */
export async function findDoubledAlerts(
  db: Db,
  { column }: AlertSubjects,
  limit: number,
): Promise<DoubledAlert[]> {
  const subject = sql.ref(column);
  return query(db)<DoubledAlert>`
    select ${subject} as "subjectId", concat_ws('/', type, vendor_alarm_code, device_sn) as key, min(started_at) as "startedAt",
      json_agg(id order by id) as "alertIds"
    from alerts where ${subject} is not null and state in ('NEW', 'ACKED')
    group by ${subject}, type, vendor_alarm_code, device_sn having count(*) > 1
    order by ${subject}, key limit ${limit}`;
}

/** Whether the database itself forbids a second active alert of a key: the partial unique index, whatever its name. */
export async function hasDedupeIndex(db: Db, { column }: AlertSubjects): Promise<boolean> {
  const isActive = "(state = ANY (ARRAY['NEW'::text, 'ACKED'::text]))";
  const { present } = await queryRow(db)<{ present: boolean }>`
    select exists (
      select from pg_index i
      where i.indrelid = 'alerts'::regclass and i.indisunique and i.indisvalid and i.indnullsnotdistinct
        and pg_get_expr(i.indpred, i.indrelid) = ${`((${column} IS NOT NULL) AND ${isActive})`}
        and (select array_agg(a.attname::text order by a.attname) from pg_attribute a
             where a.attrelid = i.indrelid and a.attnum = any(i.indkey::smallint[]))
          = ${['device_sn', column, 'type', 'vendor_alarm_code'].sort()}::text[]) as present`;
  return present;
}

/**
 * What is wrong with an alert's events. NO_EVENT: it has none. FIRST: the first is not NEW from nothing. BROKEN: one does
 * not go on from the state before it (so also anything after RESOLVED). REPEATED: the state and severity that it had.
 * LOWERED: a severity that fell. RISE: a rise that did not make the alert NEW. STATE, SEVERITY: the alert's row is not
 * what its last event says.
 */
export type AlertFlaw =
  | 'NO_EVENT'
  | 'FIRST'
  | 'BROKEN'
  | 'REPEATED'
  | 'LOWERED'
  | 'RISE'
  | 'STATE'
  | 'SEVERITY';

export interface FlawedAlert {
  alertId: number;
  subjectId: string;
  flaw: AlertFlaw;
  /** ISO instant with PostgreSQL's offset. */
  at: string;
  state: AlertState;
  severity: AlertSeverity;
  /** The event at fault, or the last one; null: there is none. */
  event: { from: AlertState | null; to: AlertState; severity: AlertSeverity } | null;
  /** The event before it. */
  before: { to: AlertState; severity: AlertSeverity } | null;
}

export interface FlawedAlerts {
  alerts: FlawedAlert[];
  total: number;
  alertsChecked: number;
  eventsChecked: number;
}

/**
 * Alerts that are active, or ended at `fromMs` or later, whose events are not NEW, then ACKED at most once between rises,
 * then RESOLVED at most once and last; or that are not what their events say. The first flaw of each.
 */
export async function findFlawedAlerts(
  db: Db,
  { column }: AlertSubjects,
  fromMs: number,
  limit: number,
): Promise<FlawedAlerts> {
  const from = instant(fromMs);
  const subject = sql.ref(column);
  return queryRow(db)<FlawedAlerts>`
    with audited as (
      select id, ${subject} as subject, state, severity, started_at from alerts
      where ${subject} is not null and (state <> 'RESOLVED' or resolved_at >= ${from})),
    chain as (
      select e.*, lag(e.to_state) over events as state_before, lag(e.severity) over events as severity_before,
        row_number() over events as nth, row_number() over (partition by e.alert_id order by e.id desc) as nth_last
      from alert_events e where e.alert_id in (select id from audited)
      window events as (partition by e.alert_id order by e.id)),
    judged as (
      select a.id, a.subject, a.state, a.severity as alert_severity, coalesce(c.at, a.started_at) as flaw_at, c.from_state,
        c.to_state, c.severity, c.state_before, c.severity_before, c.nth, case
          when c.id is null then 'NO_EVENT'
          when c.nth = 1 and (c.from_state is not null or c.to_state <> 'NEW') then 'FIRST'
          when c.nth > 1 and c.from_state is distinct from c.state_before then 'BROKEN'
          when c.severity_before = 'RED' and c.severity = 'YELLOW' then 'LOWERED'
          when c.severity_before = 'YELLOW' and c.severity = 'RED' and c.to_state <> 'NEW' then 'RISE'
          when c.from_state = c.to_state and c.severity = c.severity_before then 'REPEATED'
          when c.nth_last = 1 and c.to_state <> a.state then 'STATE'
          when c.nth_last = 1 and c.severity <> a.severity then 'SEVERITY' end as flaw
      from audited a left join chain c on c.alert_id = a.id),
    flawed as (select distinct on (id) * from judged where flaw is not null order by id, nth)
    select (select count(*) from flawed) as total, (select count(*) from audited) as "alertsChecked",
      (select count(*) from chain) as "eventsChecked",
      (select coalesce(json_agg(json_build_object('alertId', f.id, 'subjectId', f.subject, 'flaw', f.flaw, 'at', f.flaw_at,
          'state', f.state, 'severity', f.alert_severity,
          'event', case when f.to_state is not null then
            json_build_object('from', f.from_state, 'to', f.to_state, 'severity', f.severity) end,
          'before', case when f.state_before is not null then
            json_build_object('to', f.state_before, 'severity', f.severity_before) end) order by f.id), '[]'::json)
        from (select * from flawed order by id limit ${limit}) f) as alerts`;
}
