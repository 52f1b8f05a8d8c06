import { sql } from 'kysely';

import type { DayAtTime, DayRow } from '../../domain/plants/facts.ts';
import { type Db, timestamp, query } from '../database.ts';
import { daysAround, totalsAtTime } from './snapshots.ts';

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
  const rows = await query(db)<RecentDays & { id: string }>`
    select p.id, ${daysAround(now)} as days, ${totalsAtTime(sql`d.last_seen_at`, now)} as "daysAtTime"
    from unnest(${[...plantIds]}::text[]) as ids (id)
    join plants p on p.id = ids.id
    left join metric_snapshots d on d.plant_id = p.id and d.date = (${now} at time zone p.timezone)::date`;
  return new Map(rows.map(({ id, ...recent }) => [id, recent]));
}
