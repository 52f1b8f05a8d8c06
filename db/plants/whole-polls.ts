import type { Insertable } from 'kysely';

import type { BookedPoll, PlantChanges } from '../../domain/plants/changes.ts';
import type { DayRow } from '../../domain/plants/facts.ts';
import { type Db, instant, prepared, query } from '../database.ts';
import type { insertMissed } from './poll-logs.ts';
import { unlessNewer } from './snapshots.ts';
import type { PlantTables, SnapshotClaim } from './tables.ts';

type Missed = Parameters<typeof insertMissed>[1];

/** All that a poll without gaps and changes of alerts writes. */
export interface WholePoll {
  plantId: string;
  slotMs: number;
  /** The plant's revision that the rules were told. */
  revision: number;
  plant: PlantChanges;
  poll: BookedPoll;
  /** The day's row with what a repeated step would answer; null where nothing was booked. */
  day: { row: DayRow; claim: SnapshotClaim } | null;
  log: Insertable<PlantTables['poll_logs']>;
  /** As for `insertMissed`; null where no slot was missed. */
  missed: Pick<Missed, 'intervalMs' | 'rows' | 'overflow'> | null;
}

/**
 * Writes whole polls of different plants in one statement, each under the fences of the single steps: the plant's slot not
 * claimed and its revision as the rules saw it, the day not written by this slot or a later one. A poll that a fence refuses,
 * or whose plant somebody else holds, leaves nothing behind; the others are not touched by that.
 *
 * @returns the ids of the plants whose poll was written.
 */
export async function writeWholePolls(
  db: Db,
  polls: readonly WholePoll[],
): Promise<ReadonlySet<string>> {
  const rows = await query(db)<{ id: string }>`${prepared('write-whole-polls')}
    with polls as (
      select * from json_to_recordset(${JSON.stringify(polls.map(record))}::json)
        as t (plant_id text, slot timestamptz, revision bigint, plant json, day json, log json,
          missed_from timestamptz, missed_to timestamptz, interval_s float8, overflow_slot timestamptz, overflow_slots int)),
    -- a plant that somebody holds is left to the single steps, and nobody waits for it
    free as (
      select p.id from plants p join polls i on p.id = i.plant_id
      where p.revision = i.revision and (p.last_slot is null or p.last_slot < i.slot)
      order by p.id for no key update of p skip locked),
    days as (
      insert into metric_snapshots as s (plant_id, date, today_energy_kwh, peak_power_w, lifetime_energy_kwh, quality,
        complete, last_seen_at, live_energy_kwh, slot, claim)
      select i.plant_id, d.date, d.today_energy_kwh, d.peak_power_w, d.lifetime_energy_kwh, d.quality, d.complete,
        d.last_seen_at, d.live_energy_kwh, i.slot, d.claim
      from polls i join free on free.id = i.plant_id, json_populate_record(null::metric_snapshots, i.day) d
      where i.day is not null
      ${unlessNewer}
      returning s.plant_id),
    written as (
      update plants p set status = n.status, status_reason = n.status_reason, status_since = n.status_since,
        last_seen_at = n.last_seen_at, last_seen_source = n.last_seen_source,
        consecutive_failures = n.consecutive_failures, failing_since = null, low_generation_streak = n.low_generation_streak,
        alarms_complete_at = n.alarms_complete_at, devices = n.devices, last_slot = i.slot, last_poll = n.last_poll,
        last_polled_at = greatest(p.last_polled_at, n.last_polled_at)
      from polls i join free on free.id = i.plant_id, json_populate_record(null::plants, i.plant) n
      where p.id = i.plant_id and (i.day is null or i.plant_id in (select plant_id from days))
      returning p.id),
    logged as (
      insert into poll_logs
      select l.* from polls i join written on written.id = i.plant_id, json_populate_record(null::poll_logs, i.log) l
      on conflict (plant_id, job_type, scheduled_for) do nothing),
    missed as (
      insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
      select i.plant_id, 'POLL', m.at, 'SCHEDULE', 'MISSED', m.slots, i.log ->> 'workflow_id', i.log ->> 'run_id'
      from polls i join written on written.id = i.plant_id, lateral (
        select at, 1 as slots from generate_series(i.missed_from, i.missed_to, make_interval(secs => i.interval_s)) as at
        union all select i.overflow_slot, i.overflow_slots where i.overflow_slot is not null) m
      on conflict (plant_id, job_type, scheduled_for) do nothing)
    select id from written`;
  return new Set(rows.map(({ id }) => id));
}

function record({ plantId, slotMs, revision, plant, poll, day, log, missed }: WholePoll) {
  return {
    plant_id: plantId,
    slot: instant(slotMs),
    revision,
    plant: {
      status: plant.status,
      status_reason: plant.statusReason,
      status_since: instant(plant.statusSinceMs),
      last_seen_at: instant(plant.lastSeenAtMs),
      last_seen_source: plant.lastSeenSource,
      consecutive_failures: plant.consecutiveFailures,
      low_generation_streak: plant.lowGenerationStreak,
      alarms_complete_at: instant(plant.alarmsCompleteAtMs),
      devices: plant.devices,
      last_poll: poll,
      last_polled_at: instant(poll.startedAtMs),
    },
    day:
      day === null
        ? null
        : {
            date: day.row.date,
            today_energy_kwh: day.row.todayEnergyKwh,
            peak_power_w: day.row.peakPowerW,
            lifetime_energy_kwh: day.row.lifetimeEnergyKwh,
            quality: day.row.quality,
            complete: day.row.complete,
            last_seen_at: instant(day.row.lastSeenAtMs),
            live_energy_kwh: day.row.liveEnergyKwh,
            claim: day.claim,
          },
    log,
    missed_from: instant(missed?.rows?.fromMs ?? null),
    missed_to: instant(missed?.rows?.toMs ?? null),
    interval_s: missed === null ? null : missed.intervalMs / 1_000,
    overflow_slot: instant(missed?.overflow?.slotMs ?? null),
    overflow_slots: missed?.overflow?.slots ?? null,
  };
}
