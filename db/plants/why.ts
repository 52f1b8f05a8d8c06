import { sql } from 'kysely';

import { countsForIncident } from '../../domain/plants/failure.ts';
import type { Brand, IntegrationStatus } from '../../domain/plants/plant.ts';
import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import type { WhyAlert, WhyFacts, WhyPoll } from '../../domain/plants/why.ts';
import { localDateAt, type LocalDate } from '../../domain/zone.ts';
import { readAlertsBefore } from './alerts.ts';
import { incidentSince } from './incidents.ts';
import { findShownReason } from './plants.ts';
import { type Db, instant, msOf, query, queryRow } from '../database.ts';

/** Reads what explains a plant's colour at an instant. */

/** If the vendor states no measurement time, a poll with power counts up to this age. */
const evidenceWithin = '3 days';

/**
 * Reads what is known of a plant at an instant, from periods, ledger, events, snapshots and their revisions.
 *
 * @param atMs null: now, as the database has it. @returns null for an unknown plant.
 */
export async function findWhyFacts(
  db: Db,
  plantId: string,
  atMs: number | null,
  nowMs: number,
): Promise<WhyFacts | null> {
  const isNow = atMs === null;
  const thenMs = atMs ?? nowMs;
  const poll = await findPollBefore(db, plantId, thenMs);
  const measuredAtMs = poll?.source_time == null ? thenMs : Date.parse(poll.source_time);
  const read = await readAlertsBefore(db, plantId, { nowMs: thenMs, measuredAtMs });
  if (read === null) return null;
  const { row, before } = read;
  const corrected = isNow
    ? new Map<string, number>()
    : await findEarlierTotals(db, plantId, thenMs);
  const seen = isNow ? null : await findSeenBefore(db, plantId, thenMs);
  const period = isNow ? null : await findPeriodAt(db, plantId, thenMs);
  const today = localDateAt(thenMs, before.plant.timezone);
  const bookedKwh = isNow ? null : await findBookedBefore(db, plantId, today, thenMs);
  return {
    atMs: thenMs,
    isNow,
    brand: row.brand,
    plant: isNow
      ? {
          ...before.plant,
          statusReason: (await findShownReason(db, plantId)) ?? before.plant.statusReason,
        }
      : {
          ...before.plant,
          lastSeenAtMs: seen?.at.getTime() ?? null,
          lastSeenSource: seen === null ? null : seen.source,
          activatedAtMs:
            period?.reason === 'ACTIVE' ? period.since.getTime() : before.plant.activatedAtMs,
        },
    integrationStatus: isNow ? row.integration_status : (period?.reason ?? null),
    alerts: await findAlertsAt(db, plantId, thenMs),
    poll,
    days: before.days.flatMap((day) => {
      if (!isNow && day.date === today)
        return bookedKwh === null ? [] : [{ ...day, todayEnergyKwh: bookedKwh }];
      return [{ ...day, todayEnergyKwh: corrected.get(day.date) ?? day.todayEnergyKwh }];
    }),
    daysAtTime: [...before.daysAtTime],
    changedLater: before.days.map(({ date }) => date).filter((date) => corrected.has(date)),
    incident: await findIncidentAt(db, { brand: row.brand, poll }, thenMs),
    decidedLater: isNow ? [] : await findDecidedLater(db, plantId, thenMs),
  };
}

async function findPollBefore(db: Db, plantId: string, atMs: number): Promise<WhyPoll | null> {
  const row = await db
    .selectFrom('poll_logs')
    .select([
      'scheduled_for',
      'outcome',
      'adapter_error_type',
      'adapter_error_scope',
      'error',
      'power_w',
    ])
    .select(['today_energy_kwh', 'booked_date', 'source_time'])
    .where('plant_id', '=', plantId)
    .where('job_type', '=', 'POLL')
    .where('status', 'is not', null)
    .where('scheduled_for', '<=', instant(atMs))
    .orderBy('scheduled_for', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    ...row,
    power_w: roundedW(row.power_w),
    today_energy_kwh: roundedKwh(row.today_energy_kwh),
    scheduled_for: row.scheduled_for.toISOString(),
    source_time: row.source_time?.toISOString() ?? null,
  };
}

/** The total that the newest poll before the instant booked to a day, kWh; null: none did. */
async function findBookedBefore(
  db: Db,
  plantId: string,
  date: LocalDate,
  atMs: number,
): Promise<number | null> {
  const row = await db
    .selectFrom('poll_logs')
    .select('today_energy_kwh')
    .where('plant_id', '=', plantId)
    .where('booked_date', '=', date)
    .where('today_energy_kwh', 'is not', null)
    .where('scheduled_for', '<=', instant(atMs))
    .orderBy('scheduled_for', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.today_energy_kwh ?? null;
}

/** The newest measurement of the polls before; if the vendor states none, the newest poll with power. */
async function findSeenBefore(
  db: Db,
  plantId: string,
  atMs: number,
): Promise<{ at: Date; source: 'VENDOR' | 'EVIDENCE' } | null> {
  const { measured, powered } = await queryRow(db)<{ measured: Date | null; powered: Date | null }>`
    select max(source_time) as measured, max(scheduled_for) filter (where power_w > 0
        and scheduled_for > ${instant(atMs)}::timestamptz - ${evidenceWithin}::interval) as powered
    from poll_logs
    where plant_id = ${plantId} and job_type = 'POLL' and status = 'SUCCESS' and scheduled_for <= ${instant(atMs)}`;
  if (measured !== null) return { at: measured, source: 'VENDOR' };
  return powered === null ? null : { at: powered, source: 'EVIDENCE' };
}

/** The reason of the period that covers the instant, and since when it held without a break. */
async function findPeriodAt(
  db: Db,
  plantId: string,
  atMs: number,
): Promise<{ reason: IntegrationStatus; since: Date } | null> {
  const rows = await db
    .selectFrom('plant_periods')
    .select(['from_at', 'to_at', 'reason'])
    .where('plant_id', '=', plantId)
    .where('from_at', '<=', instant(atMs))
    .orderBy('from_at', 'desc')
    .execute();
  const [covering, ...earlier] = rows;
  if (covering === undefined || (covering.to_at !== null && covering.to_at.getTime() <= atMs))
    return null;
  let since = covering.from_at;
  for (const period of earlier) {
    if (period.reason !== covering.reason || period.to_at?.getTime() !== since.getTime()) break;
    since = period.from_at;
  }
  return { reason: covering.reason, since };
}

/** A vendor may report an alarm's end this much later: until then only the alert's events show that it was active. */
const endsToldLateWithin = '4 days';

/** Alerts that were active at the instant by their events, with the events until then. */
async function findAlertsAt(db: Db, plantId: string, atMs: number): Promise<WhyAlert[]> {
  return query(db)<WhyAlert>`
    select a.id, a.type, a.vendor_alarm_code, a.device_sn, a.message, a.vendor_level, a.vendor_text,
      to_json(a.started_at at time zone 'UTC') #>> '{}' || 'Z' as started_at, e.state, e.severity, e.events
    from alerts a cross join lateral (
      select (array_agg(to_state order by id desc))[1] as state, (array_agg(severity order by id desc))[1] as severity,
        json_agg(json_build_object('at', to_json(at at time zone 'UTC') #>> '{}' || 'Z', 'to_state', to_state,
          'severity', severity, 'actor', actor, 'reason', reason) order by id) as events
      from alert_events where alert_id = a.id and at <= ${instant(atMs)}) e
    where a.plant_id = ${plantId} and e.state in ('NEW', 'ACKED')
      and (a.resolved_at is null or a.resolved_at >= ${instant(atMs)}::timestamptz - ${endsToldLateWithin}::interval)
    order by e.severity, a.started_at, a.id`;
}

/** The totals at the instant of days that the vendor's series has changed since, kWh. */
async function findEarlierTotals(
  db: Db,
  plantId: string,
  atMs: number,
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('snapshot_revisions')
    .select(['date', 'old_energy_kwh'])
    .distinctOn('date')
    .where('plant_id', '=', plantId)
    .where('at', '>', instant(atMs))
    .orderBy('date')
    .orderBy('at')
    .execute();
  return new Map(
    rows.flatMap(({ date, old_energy_kwh: kwh }) => (kwh === null ? [] : [[date, kwh] as const])),
  );
}

/** The incident that was open at the instant, if the newest poll before it failed as the brand's did. */
async function findIncidentAt(
  db: Db,
  { brand, poll }: { brand: Brand; poll: WhyPoll | null },
  atMs: number,
): Promise<WhyFacts['incident']> {
  // The plant was answered, or had an error of its own: the incident explains nothing about it.
  if (poll?.outcome !== 'FAILED' || poll.adapter_error_type === null) return null;
  const { adapter_error_type: type, adapter_error_scope: scope } = poll;
  if (!countsForIncident({ type, ...(scope === null ? {} : { scope }) })) return null;
  const at = instant(atMs);
  const [incident] = await query(db)<NonNullable<WhyFacts['incident']>>`
    select i.id, i.brand, ${msOf(incidentSince)} as "failingSinceMs", null as "closedAtMs",
      case when i.recovering_since <= ${at} then ${msOf(sql`i.recovering_since`)} end as "recoveringSinceMs"
    from brand_incidents i
    where (i.brand = ${brand} or i.brand is null) and i.opened_at <= ${at} and (i.closed_at is null or i.closed_at > ${at})
    order by i.brand nulls first limit 1`;
  return incident ?? null;
}

/** Columns that people changed after the instant. */
async function findDecidedLater(db: Db, plantId: string, atMs: number): Promise<string[]> {
  const rows = await query(db)<{ column: string }>`
    select distinct key as column
    from audit_log l cross join lateral jsonb_object_keys(l.after) as key
    where l.subject_type = 'PLANT' and l.subject_id = ${plantId} and l.at > ${instant(atMs)}
      and jsonb_typeof(l.after) = 'object' and key in ('timezone', 'latitude', 'longitude', 'status_profile')
    order by key`;
  return rows.map(({ column }) => column);
}
