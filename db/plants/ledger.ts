import { type RawBuilder, sql } from 'kysely';

import { lateDataMs } from '../../domain/plants/losses.ts';
import { instant } from '../database.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** The ledger of the plants, as the functions of db/ledger know it. */
export const plantLedger: Ledger = {
  subjects: 'plants',
  subject: 'plant_id',
  periods: 'plant_periods',
  rows: 'poll_logs',
  slot: 'scheduled_for',
  job: { column: 'job_type', value: 'POLL' },
  betweenSlots: [],
  heardWithinMs: 0,
  gap: 'ROW_PER_SLOT',
  parts: { unit: 'month', ahead: 2 },
  kept: 'ledger_kept',
  alsoNeeded,
};

/**
 * The newest poll of each plant, which decided its colour, its newest measurement and its newest one with power; and the
 * rows of the day on which a current alert began, from which its loss is estimated.
 */
function alsoNeeded(line: RawBuilder<Date>): RawBuilder<unknown> {
  const newest = (kind: RawBuilder<unknown>) => sql`
    (select l.tableoid as home, l as entry from poll_logs l
      where l.plant_id = p.id and l.job_type = 'POLL' and l.scheduled_for < ${line} and ${kind}
      order by l.scheduled_for desc limit 1)`;
  return sql`
    select n.home, n.entry from plants p cross join lateral (
      ${newest(sql`l.status is not null`)}
      union ${newest(sql`l.status = 'SUCCESS' and l.source_time is not null`)}
      union ${newest(sql`l.status = 'SUCCESS' and l.power_w > 0`)}) n
    union
    select l.tableoid, l from alerts a join plants p on p.id = a.plant_id
    cross join lateral (select (a.started_at at time zone p.timezone)::date as date) began
    join poll_logs l on l.plant_id = a.plant_id and l.job_type = 'POLL' and l.booked_date = began.date
      and l.scheduled_for >= began.date::timestamp at time zone p.timezone
      and l.scheduled_for < (began.date + 2)::timestamp at time zone p.timezone
    where a.started_at < ${line} and l.scheduled_for < ${line}
      and (a.state in ('NEW', 'ACKED') or a.resolved_at > ${instant(Date.now() - lateDataMs)})`;
}

/**
 * The newest slot of plant `p` with a row, up to `now`. It lies no earlier than the newest slot whose alert step was
 * committed (`last_slot`), and the row of that slot may still be on its way: then it is the one before, a day earlier at
 * most. Without this bound the query reads every month of the ledger, for every plant.
 */
export function newestSlot(now: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select scheduled_for as newest_slot from poll_logs
    where plant_id = p.id and job_type = 'POLL' and scheduled_for <= ${now}
      and scheduled_for >= coalesce(p.last_slot, '-infinity') - interval '2 days'
    order by scheduled_for desc limit 1`;
}
