import { setFlagsFromString } from 'node:v8';
import { setTimeout as delay } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';

import { type Kysely, sql } from 'kysely';

import { Breaker } from '../activities/plants/breaker.ts';
import { createPlantsReconciler } from '../activities/plants/fleet.ts';
import { createVendors } from '../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../adapters/clouds/registry.ts';
import { createFleetView } from '../api/plants/fleet-view.ts';
import { type AuditReport, audit } from '../operations/plants/check.ts';
import { type Config, requireMasterKeys } from '../environment/config.ts';
import { createLog } from '../environment/log.ts';
import { noLocks } from '../db/lock.ts';
import { listFleet } from '../db/plants/fleet.ts';
import { countBrands } from '../db/plants/incidents.ts';
import { findLossesDue } from '../db/plants/losses.ts';
import { countMissedSlots } from '../db/ledger/missed.ts';
import { plantLedger } from '../db/plants/ledger.ts';
import { countMissedRows, readBrandPolling } from '../db/plants/operations.ts';
import {
  countByMinute,
  listPlantGauges,
  listWatchedPlants,
  readPulse,
} from '../db/plants/polling.ts';
import { onPruneSession, planPrune, prune } from '../db/ledger/prune.ts';
import type { Database } from '../db/tables.ts';
import { openDatabase } from '../db/database.ts';
import { incidentLimits } from '../domain/plants/incidents.ts';
import { phaseMs } from '../domain/slots.ts';
import { dayMs, minuteMs } from '../domain/zone.ts';
import { pollWorkflowId } from '../workflows/plants/messages.ts';
import { say } from './command.ts';
import { startFleet } from './fleet.ts';
import { readVersions, rounded } from './readings.ts';
import { giveAPast } from './scale-fleet.ts';

/** Measures the size of a fleet's record, the duration of reads of the whole fleet, and the cost of a prune; without loops. */

const plants = 20_000;
const intervalS = 600;
/** Number of plants with a whole year of rows, for realistic months and a realistic prune. */
const yearPlants = 40;
const yearDays = 365;
const keptDays = 90;
const statementTimeout = '20min';
/** Polls a second during the prune. */
const insertPauseMs = 10;

/**
 * The ledger of the plants over a span as their polls would have written it: in the order of time, which fills the indexes
 * as in production.
 */
async function writeLedger(
  db: Kysely<Database>,
  plantIds: readonly string[],
  fromMs: number,
  toMs: number,
): Promise<{ rows: number; seconds: number }> {
  const beganAt = performance.now();
  const rows = await db.transaction().execute(async (trx) => {
    await sql`select set_config('statement_timeout', ${statementTimeout}, true), set_config('work_mem', '256MB', true)`.execute(
      trx,
    );
    const phases = plantIds.map((id) => phaseMs(id, intervalS * 1_000));
    await sql`
      insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
      select id, ${new Date(fromMs)}::timestamptz, ${intervalS}, phase, 'ACTIVE'
      from unnest(${[...plantIds]}::text[], ${phases}::int[]) as p (id, phase) on conflict do nothing`.execute(
      trx,
    );
    const result = await sql`
      insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", status, outcome, started_at, duration_ms, late_ms,
        attempts, power_w, today_energy_kwh, lifetime_energy_kwh, booked_date, source_time, workflow_id, run_id)
      select p.id, 'POLL', at, 'SCHEDULE', 'SUCCESS', 'OK', at + interval '7 ms', 21, 7, 1,
        round((4000 * random())::numeric, 1), round((30 * random())::numeric, 2), 12345.6 + random(),
        (at at time zone p.timezone)::date, at - interval '90 s', 'poll:plant:' || p.id || ':latest', gen_random_uuid()::text
      from unnest(${[...plantIds]}::text[], ${phases}::int[]) as ids (id, phase)
      join plants p on p.id = ids.id
      cross join lateral generate_series(
        'epoch'::timestamptz + interval '1 ms' * (ceil((${fromMs}::bigint - phase) / ${intervalS * 1_000}::numeric) * ${intervalS * 1_000} + phase)::bigint,
        ${new Date(toMs - 1)}::timestamptz, ${intervalS} * interval '1 s') as at
      order by at`.execute(trx);
    return Number(result.numAffectedRows ?? 0);
  });
  return { rows, seconds: rounded((performance.now() - beganAt) / 1_000) };
}

/** Bytes of the ledger's partitions, heap and indexes, and their rows. */
async function weighLedger(db: Kysely<Database>, partitions: string) {
  const { rows } = await sql<{ heap: number; indexes: number }>`
    select coalesce(sum(pg_table_size(inhrelid)), 0)::bigint as heap, coalesce(sum(pg_indexes_size(inhrelid)), 0)::bigint as indexes
    from pg_inherits where inhparent = 'poll_logs'::regclass and inhrelid::regclass::text ~ ${partitions}`.execute(
    db,
  );
  return rows[0] ?? { heap: 0, indexes: 0 };
}

async function sizeOf(db: Kysely<Database>, table: string): Promise<number> {
  const { rows } = await sql<{
    bytes: number;
  }>`select pg_total_relation_size(${table}::regclass) as bytes`.execute(db);
  return rows[0]?.bytes ?? 0;
}

interface Read {
  what: string;
  ms: number | null;
  note: string;
}

/** Runs it once to warm up, then once for the figure. A read that fails breaks at this size. */
async function time(what: string, run: () => Promise<unknown>): Promise<Read> {
  try {
    await run();
    const beganAt = performance.now();
    const answer = await run();
    return {
      what,
      ms: Math.round(performance.now() - beganAt),
      note: typeof answer === 'string' ? answer : '',
    };
  } catch (error) {
    return { what, ms: null, note: error instanceof Error ? error.message : String(error) };
  }
}

function heapMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1024 ** 2;
}

/** The reconciliation as the worker runs it, with all loops running. */
function reconciliation(db: Kysely<Database>, config: Config, plantIds: readonly string[]) {
  const deps = {
    db,
    locks: noLocks,
    lockDomain: 'bench',
    vendors: createVendors({
      masterKeys: requireMasterKeys(config),
      openAdapter: createFixtureAdapter,
    }),
    breaker: new Breaker(),
    isHalted: async () => false,
    clock: Date.now,
    log: createLog('error'),
    pollCourse: 'WHOLE' as const,
    checkpoint: async () => {},
  };
  const loops = {
    count: async () => plantIds.length,
    list: async () => new Set(plantIds),
    start: async () => {},
    restartStuck: async () => false,
    signalChanged: async () => {},
  };
  const reconcile = createPlantsReconciler(deps, loops, incidentLimits);
  return () => reconcile(Date.now());
}

/** An account whose credentials were refused an hour ago; the alert was announced. */
const refusedPlants = 1_000;

/** A paused account of a brand: the reconciliation reminds of its alerts. */
async function pauseAccount(db: Kysely<Database>): Promise<void> {
  await sql`
    update plants set integration_status = 'PAUSED_AUTH_ERROR'
    where id in (select id from plants order by id desc limit ${refusedPlants})`.execute(db);
  await sql`
    insert into alerts (plant_id, type, vendor_alarm_code, severity, state, message, started_at, last_seen_at,
      last_notified_at, estimated_at)
    select id, 'API_ERROR', 'AUTH', 'RED', 'NEW', 'refused', now() - interval '1 hour', now(), now() - interval '1 hour', now()
    from plants where integration_status = 'PAUSED_AUTH_ERROR'`.execute(db);
}

async function timeReads(
  db: Kysely<Database>,
  config: Config,
  plantIds: readonly string[],
  ledgerEndMs: number,
): Promise<Read[]> {
  const now = () => Date.now();
  const heapBefore = heapMb();
  const view = createFleetView(db, now);
  const reads = [
    await time("the API's fleet view, all of it anew", async () => {
      view.invalidate();
      await view.read();
      const heap = Math.round(heapMb() - heapBefore);
      return `${heap} MB of memory`;
    }),
    await time('health and metrics: readPulse', () => readPulse(db, now())),
    await time('metrics: a gauge for each plant', () => listPlantGauges(db)),
    await time('reconciliation: listFleet', () => listFleet(db)),
    await time('reconciliation: countBrands', () => countBrands(db, now(), 300_000)),
    await time('reconciliation: findLossesDue', () => findLossesDue(db, now(), 100)),
    await time('validate: listWatchedPlants', () => listWatchedPlants(db, now())),
    await time('status: readBrandPolling, an hour', () => readBrandPolling(db)),
    await time('status: countMissedRows, a day', () => countMissedRows(db, now() - dayMs)),
    await time('status and system page: countMissedSlots, a day', () =>
      countMissedSlots(db, plantLedger, { fromMs: now() - dayMs, toMs: now() - minuteMs }),
    ),
    await time('system page: countByMinute, an hour', () => countByMinute(db, now(), 60)),
  ];
  let report: AuditReport | null = null;
  reads.push(
    await time('audit of a day, without loops', async () => {
      report = await audit({
        db,
        locks: { list: async () => [] },
        loops: {
          listRunning: async () => new Set(plantIds.map(pollWorkflowId)),
          isRunning: async () => true,
          findPolling: async () => null,
          lockDomain: async () => '',
        },
        toMs: ledgerEndMs,
      });
      return `${report.counts.slots_due} slots, ${report.violations.length} violations`;
    }),
  );
  const reconcile = reconciliation(db, config, plantIds);
  reads.push(await time('reconciliation, without Temporal', reconcile));
  await pauseAccount(db);
  reads.push(
    await time(
      `reconciliation, ${refusedPlants} plants paused by a refusal`,
      async () => `${String((await reconcile())['reminded'])} looked at`,
    ),
  );
  return reads;
}

/** Months from a year ago until now. */
async function makeMonths(db: Kysely<Database>, nowMs: number): Promise<void> {
  for (let age = yearDays + 1; age > 0; age -= 28)
    await sql`select make_poll_log_month(${new Date(nowMs - age * dayMs).toISOString().slice(0, 10)}::date)`.execute(
      db,
    );
}

/**
 * A year of days as closings leave them, in a table of their own, so that they fill no holes of others.
 *
 * @returns bytes of a day with its index.
 */
async function weighDays(db: Kysely<Database>, plantIds: readonly string[]): Promise<number> {
  await sql`create table days_of_a_year (like metric_snapshots including all)`.execute(db);
  const result = await sql`
    insert into days_of_a_year (plant_id, date, today_energy_kwh, peak_power_w, lifetime_energy_kwh, quality, complete,
      last_seen_at, live_energy_kwh, totals_by_time, slot)
    select p.id, current_date - age, total, 4123.4, 12345.6, 'FINAL', true, now() - make_interval(days => age), total,
      (select jsonb_agg(round((total * least(1, greatest(0, (n - 36) / 72.0)))::numeric, 2) order by n) from generate_series(0, 144) n),
      now() - make_interval(days => age)
    from unnest(${[...plantIds]}::text[]) as p (id)
    cross join generate_series(1, ${yearDays}) age cross join lateral (select 10 + 20 * random() + age * 0 as total) t`.execute(
    db,
  );
  return rounded((await sizeOf(db, 'days_of_a_year')) / Number(result.numAffectedRows ?? 1));
}

/** Prunes while polls write rows, and returns how long those took. */
async function measurePrune(db: Kysely<Database>, url: string) {
  const polling = openDatabase({ url, poolSize: 1 });
  const insertMs: number[] = [];
  const done = new AbortController();
  const inserting = (async () => {
    for (let n = 0; !done.signal.aborted; n += 1) {
      const beganAt = performance.now();
      await sql`
        insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
        values ('pruned-meanwhile', 'POLL', now() + ${n} * interval '1 ms', 'SCHEDULE', 'MISSED', 1, 'w', 'r')`.execute(
        polling,
      );
      insertMs.push(performance.now() - beganAt);
      await delay(insertPauseMs);
    }
  })();
  try {
    return await onPruneSession(db, async (session) => {
      const beganAt = performance.now();
      const at = new Date();
      const lineMs = Math.floor((at.getTime() - keptDays * dayMs) / dayMs) * dayMs;
      const plan = await planPrune(session, plantLedger, lineMs);
      const plannedAt = performance.now();
      const { rows, partitions } = await prune(
        session,
        plan,
        { by: { actor: 'bench', requestId: null }, at, olderThanDays: keptDays },
        () => {},
      );
      const endedAt = performance.now();
      insertMs.sort((a, b) => a - b);
      const dropped = plan.months.filter(({ way }) => way === 'DROP');
      return {
        older_than_days: keptDays,
        rows,
        rows_dropped: dropped.reduce((sum, month) => sum + month.rows, 0),
        partitions: partitions.length,
        planned_s: rounded((plannedAt - beganAt) / 1_000),
        pruned_s: rounded((endedAt - plannedAt) / 1_000),
        inserts_meanwhile: insertMs.length,
        insert_p99_ms: rounded(insertMs[Math.floor(insertMs.length * 0.99)] ?? 0),
        insert_max_ms: rounded(insertMs.at(-1) ?? 0),
      };
    });
  } finally {
    done.abort();
    await inserting;
    await polling.destroy();
  }
}

export async function measureStorage(signal: AbortSignal) {
  say('storage: bringing up a stack of its own');
  const fleet = await startFleet({ plants, intervalS, say, signal });
  try {
    const { db, plantIds } = fleet;
    const nowMs = Date.now();
    await makeMonths(db, nowMs);
    await giveAPast(db);
    say(`  a day of the ledger of ${plants} plants`);
    const day = await writeLedger(db, plantIds, nowMs - dayMs, nowMs);
    await sql`vacuum analyze`.execute(db).catch(() => sql`analyze`.execute(db));
    const dayBytes = await weighLedger(db, '.');
    say('  reading all of it');
    const reads = await timeReads(db, fleet.config, plantIds, nowMs);
    say(`  a year of ${yearPlants} plants`);
    const yearIds = plantIds.slice(0, yearPlants);
    // Their existing rows are within the last day.
    const year = await writeLedger(db, yearIds, nowMs - yearDays * dayMs, nowMs - dayMs);
    const dayRowBytes = await weighDays(db, yearIds);
    const current = new Date(nowMs).toISOString().slice(0, 7).replace('-', '_');
    const yearBytes = await weighLedger(db, `^poll_logs_(?!${current})`);
    const { rows: yearRows } = await sql<{ rows: number }>`
      select count(*) as rows from poll_logs where scheduled_for < date_trunc('month', now(), 'UTC')`.execute(
      db,
    );
    say('  pruning');
    const pruned = await measurePrune(db, fleet.stack.databaseUrl);
    return {
      measured_at: new Date().toISOString(),
      plants,
      interval_s: intervalS,
      day: { ...day, ...perRow(dayBytes, day.rows) },
      year: { plants: yearPlants, ...year, ...perRow(yearBytes, yearRows[0]?.rows ?? 1) },
      snapshot_bytes: dayRowBytes,
      plant_bytes: rounded((await sizeOf(db, 'plants')) / plants),
      reads,
      prune: pruned,
      versions: await readVersions(fleet),
    };
  } finally {
    await fleet.stop();
  }
}

function perRow({ heap, indexes }: { heap: number; indexes: number }, rows: number) {
  return {
    bytes_per_row: rounded((heap + indexes) / rows),
    heap_bytes_per_row: rounded(heap / rows),
    index_bytes_per_row: rounded(indexes / rows),
  };
}
