import { type RawBuilder, sql } from 'kysely';

import type { DayAtTime, DayBefore, DayRow } from '../../domain/plants/facts.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { type Db, instant, ms, query, timestamp } from '../database.ts';
import { type PlantRow, plantFacts } from './plants.ts';
import type { SnapshotClaim } from './tables.ts';

/**
 * JSON of the days that a poll's rules look at: today and the 7 before it, with a day to spare at either side. Of plant
 * `p`.
 */
export const daysAround = (now: RawBuilder<Date>) => sql<DayRow[]>`(
  select coalesce(json_agg(json_build_object(
    'date', s.date::text, 'todayEnergyKwh', s.today_energy_kwh, 'peakPowerW', s.peak_power_w,
    'lifetimeEnergyKwh', s.lifetime_energy_kwh, 'quality', s.quality, 'complete', s.complete,
    'lastSeenAtMs', round(extract(epoch from s.last_seen_at) * 1000), 'liveEnergyKwh', s.live_energy_kwh)), '[]'::json)
  from metric_snapshots s
  where s.plant_id = p.id
    and s.date between (${now} at time zone 'UTC')::date - 9 and (${now} at time zone 'UTC')::date + 1)`;

/**
 * JSON of the complete ones of the 7 days before today with their totals at the local time of day of `measuredAt`, between
 * the two ten-minute marks around it. Of plant `p`. SQL's form of the function of that name in domain/plants/closing.ts.
 */
export const totalsAtTime = (measuredAt: RawBuilder<unknown>, now: RawBuilder<Date>) => sql<
  DayAtTime[]
>`(
  select coalesce(json_agg(json_build_object('date', s.date::text, 'totalAtTimeKwh',
    (s.totals_by_time ->> t.mark)::float8
      + ((s.totals_by_time ->> (t.mark + 1))::float8 - (s.totals_by_time ->> t.mark)::float8) * t.share)), '[]'::json)
  from metric_snapshots s,
    lateral (select extract(epoch from (${measuredAt} at time zone p.timezone)::time) / 600 as marks,
      (${now} at time zone p.timezone)::date as today) m,
    lateral (select floor(m.marks)::int as mark, (m.marks - floor(m.marks))::float8 as share) t
  where s.plant_id = p.id and s.complete and s.date between m.today - 7 and m.today - 1)`;

/** JSON of the dates whose series was asked in vain. Of plant `p`. */
export const askedInVain = sql<LocalDate[]>`(
  select coalesce(json_agg(g.date::text), '[]'::json) from day_gaps g where g.plant_id = p.id)`;

/** Everything that the snapshot step's rules need, in one round trip; null for an unknown plant. */
export async function readDayBefore(
  db: Db,
  plantId: string,
  nowMs: number,
): Promise<DayBefore | null> {
  const [row] = await query(db)<PlantRow & { days: DayRow[]; asked_in_vain: LocalDate[] }>`
    select p.*, ${daysAround(timestamp(nowMs))} as days, ${askedInVain} as asked_in_vain
    from plants p where p.id = ${plantId}`;
  return row === undefined
    ? null
    : { plant: plantFacts(row), days: row.days, askedInVain: row.asked_in_vain };
}

/** Ends an insert of live days, as `metric_snapshots as s`: a day that this slot or a later one wrote stays as it is. */
export const unlessNewer = sql`
  on conflict (plant_id, date) do update set today_energy_kwh = excluded.today_energy_kwh,
    peak_power_w = excluded.peak_power_w, lifetime_energy_kwh = excluded.lifetime_energy_kwh,
    quality = excluded.quality, complete = excluded.complete, last_seen_at = excluded.last_seen_at,
    live_energy_kwh = excluded.live_energy_kwh, slot = excluded.slot, claim = excluded.claim, updated_at = now()
  where s.slot is null or s.slot < excluded.slot`;

/**
 * Writes a day's row under the fence: only where no slot as new as this one wrote it.
 *
 * @returns whether it was written; false: the slot was claimed already, or a later one was.
 */
export async function writeLiveDay(
  db: Db,
  plantId: string,
  slotMs: number,
  { row, claim }: { row: DayRow; claim: SnapshotClaim },
): Promise<boolean> {
  const result = await sql`
    insert into metric_snapshots as s (plant_id, date, today_energy_kwh, peak_power_w, lifetime_energy_kwh, quality,
      complete, last_seen_at, live_energy_kwh, slot, claim)
    values (${plantId}, ${row.date}, ${row.todayEnergyKwh}, ${row.peakPowerW}, ${row.lifetimeEnergyKwh}, ${row.quality},
      ${row.complete}, ${instant(row.lastSeenAtMs)}, ${row.liveEnergyKwh}, ${instant(slotMs)}, ${JSON.stringify(claim)})
    ${unlessNewer}`.execute(db);
  return result.numAffectedRows === 1n;
}

/** What slots of a span have written into days. */
export async function findClaims(
  db: Db,
  plantId: string,
  span: { fromMs: number; toMs: number },
): Promise<{ slotMs: number; claim: SnapshotClaim }[]> {
  const rows = await db
    .selectFrom('metric_snapshots')
    .select(['slot', 'claim'])
    .where('plant_id', '=', plantId)
    .where('slot', '>=', instant(span.fromMs))
    .where('slot', '<=', instant(span.toMs))
    .execute();
  return rows.flatMap(({ slot, claim }) =>
    slot === null || claim === null ? [] : [{ slotMs: slot.getTime(), claim }],
  );
}

/** One day as the closing sees it. */
export interface StoredDay extends DayRow {
  proposedEnergyKwh: number | null;
}

export async function findDays(
  db: Db,
  plantId: string,
  from: LocalDate,
  to: LocalDate,
): Promise<StoredDay[]> {
  const rows = await db
    .selectFrom('metric_snapshots')
    .select(['date', 'today_energy_kwh as todayEnergyKwh', 'peak_power_w as peakPowerW', 'quality'])
    .select(['lifetime_energy_kwh as lifetimeEnergyKwh', 'complete', 'last_seen_at'])
    .select(['live_energy_kwh as liveEnergyKwh', 'proposed_energy_kwh as proposedEnergyKwh'])
    .where('plant_id', '=', plantId)
    .where('date', '>=', from)
    .where('date', '<=', to)
    .orderBy('date')
    .execute();
  return rows.map(({ last_seen_at, ...day }) => ({ ...day, lastSeenAtMs: ms(last_seen_at) }));
}

/**
 * Writes a day as the vendor's series says it, with its revision row where a stored value changed or a day was added.
 * The caller owns the transaction and has locked the plant's day by `lockDay`.
 */
export async function writeSeriesDay(
  db: Db,
  plantId: string,
  row: DayRow,
  change: {
    oldEnergyKwh: number | null;
    source: 'BACKFILL' | 'CLOSING' | 'OPERATOR';
    atMs: number;
  },
): Promise<void> {
  await query(db)`
    insert into metric_snapshots (plant_id, date, today_energy_kwh, peak_power_w, lifetime_energy_kwh, quality, complete,
      last_seen_at, live_energy_kwh)
    values (${plantId}, ${row.date}, ${row.todayEnergyKwh}, ${row.peakPowerW}, ${row.lifetimeEnergyKwh}, ${row.quality},
      ${row.complete}, ${instant(row.lastSeenAtMs)}, ${row.liveEnergyKwh})
    on conflict (plant_id, date) do update set today_energy_kwh = excluded.today_energy_kwh, quality = excluded.quality,
      complete = excluded.complete, proposed_energy_kwh = null, updated_at = now()`;
  if (change.oldEnergyKwh !== row.todayEnergyKwh) {
    await db
      .insertInto('snapshot_revisions')
      .values({
        plant_id: plantId,
        date: row.date,
        old_energy_kwh: change.oldEnergyKwh,
        new_energy_kwh: row.todayEnergyKwh,
        source: change.source,
        at: instant(change.atMs),
      })
      .execute();
  }
  await db
    .deleteFrom('day_gaps')
    .where('plant_id', '=', plantId)
    .where('date', '=', row.date)
    .execute();
}

/** Remembers a lower total that the series proposed: a second, equal refresh makes it so. */
export async function writeProposal(
  db: Db,
  plantId: string,
  date: LocalDate,
  proposedKwh: number | null,
): Promise<void> {
  await db
    .updateTable('metric_snapshots')
    .set({ proposed_energy_kwh: proposedKwh })
    .where('plant_id', '=', plantId)
    .where('date', '=', date)
    .execute();
}

/** Counts a day whose series was asked without success. */
export async function recordGap(
  db: Db,
  plantId: string,
  date: LocalDate,
  { atMs, note }: { atMs: number; note: string },
): Promise<void> {
  await query(db)`
    insert into day_gaps as g (plant_id, date, tries, tried_at, note)
    values (${plantId}, ${date}, 1, ${instant(atMs)}, ${note})
    on conflict (plant_id, date) do update set tries = g.tries + 1, tried_at = excluded.tried_at, note = excluded.note`;
}

/** Lets days that were asked in vain be asked again: after a closing, and when a plant is back after a long absence. */
export async function forgetGaps(db: Db, plantId: string): Promise<void> {
  await db.deleteFrom('day_gaps').where('plant_id', '=', plantId).execute();
}

/** Keeps the days of a plant from being changed by two refreshes at once, until the transaction ends. */
export async function lockDays(db: Db, plantId: string): Promise<void> {
  await query(db)`select pg_advisory_xact_lock(hashtext(${`days:${plantId}`}))`;
}

/** Stores the day's totals at local 00:00, 00:10 … 24:00. */
export async function writeTotalsByTime(
  db: Db,
  plantId: string,
  date: LocalDate,
  totals: readonly (number | null)[],
): Promise<void> {
  await db
    .updateTable('metric_snapshots')
    .set({ totals_by_time: JSON.stringify(totals) })
    .where('plant_id', '=', plantId)
    .where('date', '=', date)
    .execute();
}
