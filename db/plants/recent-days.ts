import { sql } from 'kysely';

import type { DayAtTime, DayRow } from '../../domain/plants/facts.ts';
import { type Db, timestamp } from '../database.ts';
import { daysAround } from './snapshots.ts';

/** The days that a plant's running day and its yesterday are compared with. */
export interface RecentDays {
  /** Today and the days before it, any order. */
  days: DayRow[];
  /** The totals of the complete ones of the 7 days before today, at the local time of today's newest measurement. */
  daysAtTime: DayAtTime[];
}

/** The recent days of these plants, by their ids, in one round trip. */
export async function readRecentDays(
  db: Db,
  plantIds: readonly string[],
  nowMs: number,
): Promise<Map<string, RecentDays>> {
  const now = timestamp(nowMs);
  const result = await sql<{ id: string; days: DayRow[]; days_at_time: DayAtTime[] }>`
    select p.id, ${daysAround(now)} as days,
      (select coalesce(json_agg(json_build_object('date', s.date::text, 'totalAtTimeKwh',
          -- between the two ten-minute marks around the local time of day
          (s.totals_by_time ->> t.mark)::float8
            + ((s.totals_by_time ->> (t.mark + 1))::float8 - (s.totals_by_time ->> t.mark)::float8) * t.share)), '[]'::json)
        from metric_snapshots s,
          lateral (select floor(m.marks)::int as mark, (m.marks - floor(m.marks))::float8 as share) t
        where s.plant_id = p.id and s.complete and s.date between l.today - 7 and l.today - 1) as days_at_time
    from unnest(${[...plantIds]}::text[]) as ids (id)
    join plants p on p.id = ids.id
    cross join lateral (select (${now} at time zone p.timezone)::date as today) l
    left join metric_snapshots d on d.plant_id = p.id and d.date = l.today
    cross join lateral (
      select extract(epoch from (d.last_seen_at at time zone p.timezone)::time) / 600 as marks) m`.execute(
    db,
  );
  return new Map(
    result.rows.map(({ id, days, days_at_time: daysAtTime }) => [id, { days, daysAtTime }]),
  );
}
