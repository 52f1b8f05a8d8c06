import { sql } from 'kysely';

import { openDatabase } from '../db/database.ts';
import { insertGateways } from '../db/gateways/gateways.ts';
import { takeLease } from '../db/gateways/leases.ts';
import { type BatchRow, writeBatch } from '../db/gateways/write-batch.ts';
import { migrateToLatest } from '../db/migrate.ts';
import { bringUpStack } from '../stack/up.ts';
import {
  testGateway,
  testPoint,
  testReading,
  testRow,
  testState,
} from '../test/support/gateways.ts';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What a row of gateway_readings costs PostgreSQL: CPU of the backend that writes, and bytes on disk. Batches of 100 rows with 12
 * values and the state of each gateway, as walkers write them. `npm run bench:gateway-rows`.
 */

const gateways = 1_000;
const rowsPerBatch = 100;
const batches = 500;
const points = Array.from({ length: 12 }, (_, n) =>
  testPoint(n < 3 ? `total_${n}_kwh` : `value_${n}`, { address: n * 2 }),
);

const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-bench-'));
const stack = await bringUpStack({ dataDir, log: () => {}, ephemeral: true, temporalUi: false });
const db = openDatabase({ url: stack.databaseUrl, poolSize: 1, genericPlans: true });
try {
  await migrateToLatest(db);
  const ids = Array.from({ length: gateways }, (_, n) => `bench-${n}`);
  await db.transaction().execute((trx) =>
    insertGateways(
      trx,
      ids.map((id) => testGateway(id, {}, points)),
      Date.now(),
    ),
  );
  const taken = await takeLease(db, { shard: 0, owner: 'bench', worker: 'bench', ttlMs: 60_000 });
  if (taken.kind !== 'TAKEN') throw new Error('the lease is held');
  const lease = { shard: 0, epoch: taken.epoch };
  const {
    rows: [backend],
  } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  const pid = backend?.pid ?? 0;
  const baseMs = Math.floor(Date.now() / 10_000) * 10_000;
  const values = points.map((_, n) => 1_234.5 + n * 17.25);
  const batch = (n: number, withState: boolean): BatchRow[] =>
    Array.from({ length: rowsPerBatch }, (_, row) => {
      const place = n * rowsPerBatch + row;
      const slot = baseMs + Math.floor(place / gateways) * 10_000;
      const state = testState(slot, { lastReading: { mapId: 1, values, quality: null } });
      const reading = testReading(slot, values, { mapId: 1, requests: 2 });
      return testRow(ids[place % gateways] ?? '', { reading, state: withState ? state : null });
    });
  const measure = async (withState: boolean) => {
    await sql`truncate gateway_readings`.execute(db);
    const write = (n: number) =>
      writeBatch(db, { owner: 'bench', ttlMs: 60_000, leases: [lease], rows: batch(n, withState) });
    for (let n = 0; n < 20; n += 1) await write(n);
    const [cpuBefore, ownBefore, beganAt] = [cpuUs(pid), process.cpuUsage(), performance.now()];
    for (let n = 20; n < batches; n += 1) await write(n);
    const rows = (batches - 20) * rowsPerBatch;
    const own = process.cpuUsage(ownBefore);
    return {
      rows,
      postgres_us_per_row: Math.round((cpuUs(pid) - cpuBefore) / rows),
      node_us_per_row: Math.round((own.user + own.system) / rows),
      wall_us_per_row: Math.round(((performance.now() - beganAt) * 1_000) / rows),
    };
  };
  const withoutState = await measure(false);
  const withState = await measure(true);
  const {
    rows: [size],
  } = await sql<{ bytes: number; table: number }>`
    select sum(pg_total_relation_size(inhrelid))::float8 as bytes, sum(pg_relation_size(inhrelid))::float8 as table
    from pg_inherits where inhparent = 'gateway_readings'::regclass`.execute(db);
  process.stdout.write(
    `${JSON.stringify({ rows_per_batch: rowsPerBatch, values: points.length, without_state: withoutState, with_state: withState, bytes_per_row: Math.round((size?.bytes ?? 0) / (batches * rowsPerBatch)), heap_bytes_per_row: Math.round((size?.table ?? 0) / (batches * rowsPerBatch)) }, null, 2)}\n`,
  );
} finally {
  await db.destroy();
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

/** User and system time of a process, µs, from /proc; ticks are 10 ms. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
