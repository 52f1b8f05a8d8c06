import { readFileSync } from 'node:fs';

import { createSites } from '../../../adapters/modbus/site.ts';
import { openDatabase, query } from '../../../db/database.ts';
import { noQuirks } from '../../../domain/gateways/gateway.ts';
import { parseNetworks } from '../../../domain/gateways/network.ts';
import { lastSlotAtOrBefore } from '../../../domain/slots.ts';
import { generatedUnitId } from '../../../stack/gateways/generated.ts';
import { benchPoints } from '../../gateways/points.ts';
import { loopbackNetworks } from '../../gateways/arena.ts';
import { type Job, loadBullMq } from '../bullmq.ts';
import { gridOf } from './judge.ts';
import { type RivalGateway, settingsVariable, type RivalSettings } from './settings.ts';

/**
 * A job for each poll of a gateway, on BullMQ: one job scheduler a gateway, one queue, one worker. It reads with
 * Heliograph's own Modbus client and writes a row for each poll, so that the difference is the scheduling alone.
 */

const settings = JSON.parse(process.env[settingsVariable] ?? '') as RivalSettings;
const { intervalMs } = settings;
const gateways = JSON.parse(readFileSync(settings.gatewaysFile, 'utf8')) as RivalGateway[];
const byId = new Map(gateways.map((gateway) => [gateway.id, gateway]));

const queueName = 'gateways';
/** As the bench of the plants sets them: a dead worker's jobs are taken after about 6 s instead of 60 s. */
const lockDurationMs = 5_000;
const stalledIntervalMs = 5_000;
const maxStalledCount = 3;
/** Polls mostly wait for devices. */
const concurrency = 500;
const kept = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } };
/** Schedulers that are written at once. */
const schedulersAtOnce = 200;
const deadlineMs = 8_000;

const db = openDatabase({ url: process.env['DATABASE_URL'] ?? '', genericPlans: true });
const { hostname: host, port } = new URL(process.env['REDIS_URL'] ?? '');
const connection = { host, port: Number(port) };
const sites = createSites({ networks: parseNetworks(loopbackNetworks) });

/** The two requests of a poll, as the read plan makes them. */
const ranges = [
  { address: 0x00, count: 14 },
  { address: 0x34, count: 24 },
] as const;

async function readValues({ host: at, port: on }: RivalGateway): Promise<number[] | null> {
  const registers = new Map<number, Uint8Array>();
  for (const range of ranges) {
    const answer = await sites.of(at, on).read({
      unitId: generatedUnitId,
      function: 4,
      ...range,
      quirks: noQuirks,
      deadlineMs,
    });
    if (answer.kind !== 'ANSWER') return null;
    registers.set(range.address, answer.bytes);
  }
  return benchPoints.map(({ address }) => {
    const start = (address ?? 0) >= ranges[1].address ? ranges[1].address : ranges[0].address;
    const bytes = registers.get(start) as Uint8Array;
    return Buffer.from(bytes).readFloatBE(2 * ((address ?? 0) - start));
  });
}

async function processJob(job: Job): Promise<void> {
  const gateway = byId.get(job.data.plantId);
  if (gateway === undefined) return;
  const values = await readValues(gateway);
  const scheduledAtMs = Number(job.id.slice(job.id.lastIndexOf(':') + 1));
  const slotMs = lastSlotAtOrBefore(gridOf(gateway.id, intervalMs), scheduledAtMs);
  await query(db)`
    insert into rival_readings (gateway_id, read_at, outcome, "values")
    values (${gateway.id}, ${new Date(slotMs)}, ${values === null ? 'FAILED' : 'OK'}, ${values}::float8[])
    on conflict do nothing`;
}

const onError = () => {};
const bullMq = await loadBullMq();
const queue = new bullMq.Queue(queueName, { connection });
queue.on('error', onError);

/** Adds only missing schedulers: an upsert of an existing one puts it on the slot after. */
async function addMissingSchedulers(): Promise<void> {
  const there = new Set((await queue.getJobSchedulers(0, -1)).map(({ key }) => key));
  const missing = gateways.filter(({ id }) => !there.has(id));
  for (let n = 0; n < missing.length; n += schedulersAtOnce) {
    await Promise.all(
      missing.slice(n, n + schedulersAtOnce).map(({ id }) => {
        // An offset of 0 would mean "now" instead of the grid.
        const offset = Math.max(1, gridOf(id, intervalMs).phaseMs);
        const template = { name: 'poll', data: { plantId: id }, opts: kept };
        return queue.upsertJobScheduler(id, { every: intervalMs, offset }, template);
      }),
    );
  }
}

await addMissingSchedulers();
const worker = new bullMq.Worker(queueName, processJob, {
  connection: { ...connection, maxRetriesPerRequest: null },
  concurrency,
  lockDuration: lockDurationMs,
  stalledInterval: stalledIntervalMs,
  maxStalledCount,
  ...kept,
});
worker.on('error', onError);
await worker.waitUntilReady();

/** Takes no new jobs and finishes running ones. */
async function stop(): Promise<never> {
  await worker.close();
  await queue.close();
  sites.close();
  await db.destroy();
  process.exit();
}
process.once('SIGTERM', () => void stop());
process.once('disconnect', () => void stop());
process.send?.('started');
