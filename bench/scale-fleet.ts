import { type Kysely, sql } from 'kysely';

import { startLoop } from '../operations/plants/loops.ts';
import { generatedPlant } from '../cli/demo/fleet.ts';
import type { Database } from '../db/tables.ts';
import type { BookedPoll } from '../domain/plants/changes.ts';
import { nextSlotAfter, phaseMs } from '../domain/slots.ts';
import { brands } from '../domain/plants/plant.ts';
import { pollQueue } from '../workflows/plants/messages.ts';
import type { LoopState } from '../workflows/plants/messages.ts';
import type { BenchFleet } from './fleet.ts';

/** Builds a large fleet as after a week of polling, by set-based SQL, and starts its loops concurrently. */

/** Statement time-out: snapshots of 20,000 plants take longer than the pool's limit for polls. */
const statementTimeout = '10min';
/** A low total, so that at any hour every plant has at least 30 % of it and the bench raises no alert. */
const pastTotalKwh = 1;
const pastDays = 7;
/** Number of concurrent requests to Temporal. */
const startsAtOnce = 64;

const lastPoll: BookedPoll = {
  outcome: 'OK',
  errorType: null,
  error: null,
  booked: null,
  startedAtMs: 0,
  durationMs: 5,
  attempts: 1,
};

/**
 * Gives every plant its last week's days, its alarms' last answer and a first poll, so that all later polls are ordinary:
 * no first poll, no gap to fill, no day of alarms to read.
 */
export async function giveAPast(db: Kysely<Database>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`select set_config('statement_timeout', ${statementTimeout}, true)`.execute(trx);
    await sql`
      with curve as (
        select jsonb_agg(round(${pastTotalKwh} * least(1, greatest(0, (n - 36) / 72.0)), 3) order by n) as totals
        from generate_series(0, 144) n)
      insert into metric_snapshots (plant_id, date, today_energy_kwh, peak_power_w, quality, complete, last_seen_at, totals_by_time)
      select p.id, (now() at time zone p.timezone)::date - age, ${pastTotalKwh}, 500, 'BACKFILLED', true,
        now() - make_interval(days => age), curve.totals
      from plants p cross join generate_series(1, ${pastDays}) age cross join curve`.execute(trx);
    await sql`
      insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", status, outcome, started_at, duration_ms, late_ms,
        attempts, workflow_id, run_id)
      select id, 'POLL', activated_at + interval '1 ms', 'START', 'SUCCESS', 'OK', activated_at + interval '1 ms', 5, 0, 1,
        'poll:plant:' || id || ':latest', gen_random_uuid()::text
      from plants`.execute(trx);
    await sql`
      update plants set status = 'GREEN', status_reason = 'SEEN_RECENTLY', last_seen_at = now(), last_seen_source = 'VENDOR',
        seen_revision = revision, alarms_complete_at = now(), last_polled_at = now(), last_slot = activated_at + interval '1 ms',
        last_poll = ${JSON.stringify(lastPoll)}::jsonb`.execute(trx);
  });
  await sql`analyze`.execute(db);
}

/**
 * Starts every plant's loop.
 *
 * @param how FIRST: as in production, each loop looks at its plant. RUNNING: as a loop continues in its next run, with the
 *   state of the previous run; several times quicker, with the same polls afterwards.
 * @returns the duration, s, and the time of the first slots; with RUNNING late enough for all loops to have begun.
 */
export async function startLoops(
  fleet: BenchFleet,
  how: 'FIRST' | 'RUNNING',
): Promise<{ startedS: number; slotsFromMs: number }> {
  const { db, client, plantIds } = fleet;
  if (how === 'FIRST') await db.updateTable('plants').set({ seen_revision: 0 }).execute();
  const slotsFromMs = how === 'RUNNING' ? Date.now() + plantIds.length * beginMsEach : Date.now();
  const states =
    how === 'RUNNING' ? await openPeriods(fleet, slotsFromMs) : new Map<string, LoopState>();
  const beganAt = performance.now();
  const waiting = plantIds.map((_, n) => generatedPlant(n));
  const startNext = async () => {
    for (let plant = waiting.pop(); plant !== undefined; plant = waiting.pop()) {
      const state = states.get(plant.id);
      await startLoop(client, plant, state === undefined ? {} : { state });
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, startNext));
  return { startedS: (performance.now() - beganAt) / 1_000, slotsFromMs };
}

/** Time for a loop's start and first workflow task on two cores, during which polls would disturb. */
const beginMsEach = 35;

/** Opens each plant's period with its first slot after `fromMs`, and returns the state that its loop would have. */
async function openPeriods(
  { db, plantIds, intervalMs }: BenchFleet,
  fromMs: number,
): Promise<Map<string, LoopState>> {
  const gridOf = (id: string) => ({ intervalMs, phaseMs: phaseMs(id, intervalMs) });
  const periods = plantIds.map((id) => ({
    id,
    grid: gridOf(id),
    fromMs: nextSlotAfter(gridOf(id), fromMs),
  }));
  await sql`
    insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
    select id, 'epoch'::timestamptz + from_ms * interval '1 ms', ${intervalMs / 1_000}, phase_ms, 'ACTIVE'
    from unnest(${periods.map(({ id }) => id)}::text[], ${periods.map((period) => period.fromMs)}::bigint[],
      ${periods.map(({ grid }) => grid.phaseMs)}::int[]) as p (id, from_ms, phase_ms)`.execute(db);
  const plants = await db.selectFrom('plants').select(['id', 'name', 'revision']).execute();
  const plantOf = new Map(plants.map((plant) => [plant.id, plant]));
  return new Map(
    periods.map(({ id, grid, fromMs: periodFromMs }): [string, LoopState] => {
      const plant = plantOf.get(id);
      const revision = plant?.revision ?? 1;
      return [
        id,
        {
          name: plant?.name ?? id,
          integrationStatus: 'ACTIVE',
          revision,
          grid,
          periodFromMs,
          lastSlotMs: periodFromMs - intervalMs,
          nextClosing: null,
          closedDate: null,
          standing: {
            status: 'GREEN',
            statusReason: 'SEEN_RECENTLY',
            statusSinceMs: fromMs,
            lastSeenAtMs: fromMs,
            openAlerts: 0,
            revision,
          },
          lastPoll: null,
        },
      ];
    }),
  );
}

/** Number of loops that have looked at their plant. */
export async function countPlanned(db: Kysely<Database>): Promise<number> {
  const { plants } = await db
    .selectFrom('plants')
    .select(({ fn }) => fn.countAll<number>().as('plants'))
    .whereRef('seen_revision', '=', 'revision')
    .executeTakeFirstOrThrow();
  return plants;
}

/** Number of workflow tasks that wait for a worker. */
export async function countWaitingTasks({ client }: BenchFleet): Promise<number> {
  const counts = await Promise.all(
    brands.map(pollQueue).map(async (name) => {
      const { stats } = await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name },
        taskQueueType: 1,
        reportStats: true,
      });
      return Number(stats?.approximateBacklogCount ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
