import type { LocalDate } from '../../domain/zone.ts';
import { type Db, instant, query } from '../database.ts';

/** Mean power of a span of a plant-local day. */
export interface PowerBin {
  date: LocalDate;
  /** Minutes from the local midnight to the span's begin, by the plant's clock. */
  minute: number;
  /** W */
  powerW: number;
}

/**
 * The power of a plant's polls since `fromMs`, averaged over spans of `binMinutes` of its local day, in order. A span
 * without a value has no row: a gap stays a gap.
 */
export async function readPowerBins(
  db: Db,
  plantId: string,
  span: { timezone: string; fromMs: number; toMs: number; binMinutes: number },
): Promise<PowerBin[]> {
  const { timezone, fromMs, toMs, binMinutes } = span;
  return query(db)<PowerBin>`
    select local::date::text as date,
      (floor(extract(epoch from local::time) / 60 / ${binMinutes}::int) * ${binMinutes}::int)::int as minute,
      avg(power_w)::float8 as "powerW"
    from (
      select scheduled_for at time zone ${timezone} as local, power_w from poll_logs
      where plant_id = ${plantId} and job_type = 'POLL' and power_w is not null
        and scheduled_for >= ${instant(fromMs)} and scheduled_for <= ${instant(toMs)}) polls
    group by 1, 2
    order by 1, 2`;
}
