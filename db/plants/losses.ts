import { sql } from 'kysely';

import { type Loss, type LossFacts, lateDataMs, usualDaysMax } from '../../domain/plants/losses.ts';
import { localDateAt, startOfDayMs, endOfDayMs } from '../../domain/zone.ts';
import { type Db, instant, msOf, query } from '../database.ts';
import { findBookedTotals } from './poll-logs.ts';

/** An estimate is no older than this while its alert is active. */
const estimatedEveryMs = 10 * 60_000;
/** Days before a plant fell behind among which its usual days are looked for. */
const usualDaysWithin = 30;

/**
 * Alerts whose estimate is due, the longest waiting first: active ones every ten minutes, ended ones once, and again when
 * late data have come.
 */
export async function findLossesDue(
  db: Db,
  nowMs: number,
  limit: number,
): Promise<{ alertId: number; facts: LossFacts }[]> {
  type Row = Omit<LossFacts, 'place' | 'points'> &
    LossFacts['place'] & { id: number; plant_id: string };
  const now = instant(nowMs);
  const old = instant(nowMs - estimatedEveryMs);
  const rows = await query(db)<Row>`
    with due as (
      select a.id, a.plant_id, a.type, a.started_at, a.resolved_at, p.timezone, p.latitude, p.longitude, a.estimated_at,
        b.seen_before, (coalesce(b.seen_before, a.started_at) at time zone p.timezone)::date as first_date,
        (coalesce(a.resolved_at, ${now}) at time zone p.timezone)::date as last_date
      from alerts a join plants p on p.id = a.plant_id
      -- when a silent plant was last seen: its alert came a day later
      left join lateral (
        select greatest(
          (select s.last_seen_at from metric_snapshots s
            where s.plant_id = a.plant_id and s.last_seen_at <= a.started_at
            order by s.date desc limit 1),
          -- a day that the vendor's series filled does not know it
          case when p.last_seen_at <= a.started_at then p.last_seen_at end) as seen_before
        where a.type = 'OFFLINE') b on true
      where (a.state in ('NEW', 'ACKED') and (a.estimated_at is null or a.estimated_at < ${old}))
        or (a.state = 'RESOLVED' and a.resolved_at > ${instant(nowMs - lateDataMs)}
          and (a.estimated_at is null or a.estimated_at < a.resolved_at
            -- late data: the series has spoken of one of its days since
            or (a.estimated_at < ${old} and exists (
              select from metric_snapshots s
              where s.plant_id = a.plant_id and s.updated_at > a.estimated_at and s.quality <> 'LIVE'
                and s.date between (coalesce(b.seen_before, a.started_at) at time zone p.timezone)::date
                  and (a.resolved_at at time zone p.timezone)::date))))
      order by a.estimated_at nulls first, a.id limit ${limit})
    select d.id, d.plant_id, d.type, d.timezone, d.latitude, d.longitude,
      ${msOf(sql`d.started_at`)} as "startedAtMs", ${msOf(sql`d.seen_before`)} as "seenBeforeMs", ${msOf(sql`d.resolved_at`)} as "endedAtMs",
      (select coalesce(json_agg(json_build_object('date', u.date::text, 'todayEnergyKwh', u.today_energy_kwh,
          'totalsByTime', u.totals_by_time)), '[]'::json)
        from (select s.date, s.today_energy_kwh, s.totals_by_time from metric_snapshots s
          where s.plant_id = d.plant_id and s.complete and s.date < d.first_date
            and s.date >= d.first_date - ${usualDaysWithin}::int
          order by s.date desc limit ${usualDaysMax}) u) as "usualDays",
      (select coalesce(json_agg(json_build_object('date', s.date::text, 'todayEnergyKwh', s.today_energy_kwh,
          'quality', s.quality, 'lastSeenAtMs', round(extract(epoch from s.last_seen_at) * 1000))), '[]'::json)
        from metric_snapshots s
        where s.plant_id = d.plant_id and s.date between d.first_date and d.last_date) as days
    from due d order by d.estimated_at nulls first, d.id`;
  const found: { alertId: number; facts: LossFacts }[] = [];
  for (const row of rows) {
    const { id, plant_id: plantId, timezone, latitude, longitude, ...facts } = row;
    const ends = [facts.seenBeforeMs ?? facts.startedAtMs, facts.endedAtMs ?? nowMs];
    const points = await bookedPoints(db, plantId, timezone, ends);
    found.push({
      alertId: id,
      facts: { ...facts, place: { timezone, latitude, longitude }, points },
    });
  }
  return found;
}

/** What polls booked to the dates of these instants, also late, on the day after. */
async function bookedPoints(
  db: Db,
  plantId: string,
  timezone: string,
  instantsMs: readonly number[],
): Promise<LossFacts['points'][number][]> {
  const points: LossFacts['points'][number][] = [];
  for (const date of new Set(instantsMs.map((atMs) => localDateAt(atMs, timezone)))) {
    const startMs = startOfDayMs(date, timezone);
    const endMs = endOfDayMs(date, timezone);
    const booked = await findBookedTotals(db, plantId, date, {
      fromMs: startMs,
      toMs: 2 * endMs - startMs,
    });
    points.push(...booked.map((point) => ({ date, ...point })));
  }
  return points;
}

/** Writes estimates in one statement. */
export async function writeLosses(
  db: Db,
  losses: readonly ({ alertId: number } & Loss)[],
  nowMs: number,
): Promise<void> {
  if (losses.length === 0) return;
  await query(db)`
    update alerts a set estimated_lost_kwh = l.lost_kwh, at_risk_kwh = l.at_risk_kwh, estimated_at = ${instant(nowMs)}
    from unnest(${losses.map((loss) => loss.alertId)}::bigint[],
      ${losses.map((loss) => loss.estimatedLostKwh)}::float8[],
      ${losses.map((loss) => loss.atRiskKwh)}::float8[]) as l (id, lost_kwh, at_risk_kwh)
    where a.id = l.id`;
}
