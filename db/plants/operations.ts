import type { AdapterErrorType, Brand, Outcome } from '../../domain/plants/plant.ts';
import { type Db, instant, query, queryRow } from '../database.ts';

/** How polling goes, for those who run it: figures of the ledger over the last hour and day. PostgreSQL's clock is "now". */

/** The polls of one brand in the last hour. */
export interface BrandPolling {
  brand: Brand;
  /** Polls that asked, or were to ask, a vendor: every outcome but MISSED and the skips. */
  polls: number;
  outcomes: Partial<Record<Outcome, number>>;
  /** Of polls on a slot: ms from the slot to the poll's begin. null without such a poll. */
  late_p50_ms: number | null;
  late_p99_ms: number | null;
  late_max_ms: number | null;
  /** Polls that began later than max(30 s, a tenth of the interval). */
  late: number;
  newest_poll_at: Date | null;
}

/** What went wrong in the last hour, by kind and brand. */
export interface PollingError {
  brand: Brand;
  error_type: AdapterErrorType;
  polls: number;
  plants: number;
  newest_at: Date;
  /** The sentence of the newest. */
  newest: string | null;
}

export async function readBrandPolling(db: Db): Promise<BrandPolling[]> {
  return query(db)<BrandPolling>`
    with rows as (
      select p.brand, l.outcome, l.late_ms, l.status, l.started_at,
        l."trigger" in ('SCHEDULE', 'CATCH_UP') and l.late_ms is not null as on_slot,
        l.late_ms > greatest(30000, p.poll_interval_s * 100) as late
      from poll_logs l join plants p on p.id = l.plant_id
      where l.job_type = 'POLL' and l.scheduled_for > now() - interval '1 hour' and l.scheduled_for <= now()),
    outcomes as (
      select brand, jsonb_object_agg(outcome, n) as outcomes
      from (select brand, outcome, count(*) as n from rows group by brand, outcome) each group by brand),
    polls as (
      select brand, count(*) filter (where status is not null) as polls,
        percentile_cont(0.5) within group (order by late_ms) filter (where on_slot) as late_p50_ms,
        percentile_cont(0.99) within group (order by late_ms) filter (where on_slot) as late_p99_ms,
        max(late_ms) filter (where on_slot) as late_max_ms,
        count(*) filter (where on_slot and late) as late,
        max(started_at) as newest_poll_at
      from rows group by brand),
    fleet as (select distinct brand from plants where removed_at is null)
    select fleet.brand, coalesce(polls, 0) as polls, coalesce(outcomes, '{}') as outcomes,
      late_p50_ms, late_p99_ms, late_max_ms, coalesce(late, 0) as late, newest_poll_at
    from fleet left join polls using (brand) left join outcomes using (brand) order by brand`;
}

/** The worst first. */
export async function readPollingErrors(db: Db): Promise<PollingError[]> {
  return query(db)<PollingError>`
    select p.brand, l.adapter_error_type as error_type, count(*) as polls, count(distinct l.plant_id) as plants,
      max(l.scheduled_for) as newest_at, (array_agg(l.error order by l.scheduled_for desc))[1] as newest
    from poll_logs l join plants p on p.id = l.plant_id and p.removed_at is null
    where l.job_type = 'POLL' and l.adapter_error_type is not null
      and l.scheduled_for > now() - interval '1 hour' and l.scheduled_for <= now()
    group by p.brand, l.adapter_error_type order by polls desc, brand, error_type`;
}

/** Slots of which a row since `sinceMs` says that they were missed. */
export async function countMissedRows(db: Db, sinceMs: number): Promise<number> {
  const { slots } = await queryRow(db)<{ slots: number }>`
    select coalesce(sum(slots_missed), 0)::bigint as slots from poll_logs
    where job_type = 'POLL' and outcome = 'MISSED' and scheduled_for > ${instant(sinceMs)}`;
  return slots;
}

/** Plants of which people changed something that their loops have not seen. */
export async function listUnseenChanges(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('plants')
    .select('id')
    .whereRef('seen_revision', '<>', 'revision')
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}
