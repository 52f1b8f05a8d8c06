import { Breaker } from '../../activities/plants/breaker.ts';
import type { ActivityDeps } from '../../activities/plants/deps.ts';
import { createVendors } from '../../activities/plants/vendor.ts';
import { loadConfig, requireMasterKeys, requireService } from '../../environment/config.ts';
import { createLog } from '../../environment/log.ts';
import { openLocks } from '../../environment/locks.ts';
import { openDatabase } from '../../db/database.ts';
import { noLocks } from '../../db/lock.ts';
import { lastSlotAtOrBefore, phaseMs } from '../../domain/slots.ts';
import { type Job, loadBullMq, type Queue } from './bullmq.ts';
import { createJobActivities, pollByJob } from './bullmq-poll.ts';
import { createVendorStub, readVendorSettings } from './vendor.ts';

/**
 * The rival: one job scheduler a plant, one queue, one worker. README.md says why each setting is what it is.
 *
 * With BENCH_RIVAL_HARDENED=true it has what its users add by hand: a lock for each plant, and a check of the schedulers.
 */

const queueName = 'polls';
/** Polls mostly wait for vendor and database, so far more can run than there are cores. */
const concurrency = 500;
/** Both 30 s by default: another worker takes a dead worker's jobs after about 6 s instead of up to 60 s. */
const lockDurationMs = 5_000;
const stalledIntervalMs = 5_000;
/** Two deploys in a row must not fail a job for good. */
const maxStalledCount = 3;
const kept = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } };
/** As in Heliograph: a second attempt 5 s after the first. */
const attempts = { attempts: 2, backoff: { type: 'fixed', delay: 5_000 } } as const;
/** Interval at which the hardened worker restores missing schedulers. */
const reconcilePauseMs = 10_000;

const isHardened = process.env['BENCH_RIVAL_HARDENED'] === 'true';
const config = loadConfig(process.env);
const log = createLog(config.LOG_LEVEL, process.stderr);
const db = openDatabase({ url: requireService(config, 'DATABASE_URL'), genericPlans: true });
const { hostname: host, port } = new URL(config.REDIS_URL ?? '');
const connection = { host, port: Number(port) };

const deps: ActivityDeps = {
  db,
  locks: isHardened ? openLocks(config, () => {}) : noLocks,
  lockDomain: 'bullmq',
  vendors: createVendors({
    masterKeys: requireMasterKeys(config),
    openAdapter: createVendorStub(readVendorSettings(process.env)),
  }),
  breaker: new Breaker(),
  isHalted: async () => false,
  clock: Date.now,
  log,
  pollCourse: 'WHOLE',
  checkpoint: async () => {},
};

const jobs = createJobActivities(deps);
const plants = await db
  .selectFrom('plants')
  .select(['id', 'poll_interval_s', 'last_slot'])
  .where('integration_status', '=', 'ACTIVE')
  .execute();
const intervalMsOf = new Map(plants.map(({ id, poll_interval_s: s }) => [id, s * 1_000]));

async function processJob(job: Job): Promise<void> {
  const { plantId } = job.data;
  const intervalMs = intervalMsOf.get(plantId) ?? 0;
  await pollByJob(jobs, {
    jobId: job.id,
    plantId,
    slotMs: slotOf(job, intervalMs),
    intervalMs,
    attempt: job.attemptsMade + 1,
  });
}

/** The id of a scheduler's job ends with its slot. */
function slotOf(job: Job, intervalMs: number): number {
  if (job.name === 'start') return Date.now();
  const atMs = Number(job.id.slice(job.id.lastIndexOf(':') + 1));
  return lastSlotAtOrBefore({ intervalMs, phaseMs: phaseMs(job.data.plantId, intervalMs) }, atMs);
}

/** Adds only missing schedulers: an upsert of an existing one removes its next job and puts it on the slot after. */
async function addMissingSchedulers(queue: Queue): Promise<void> {
  const there = new Set((await queue.getJobSchedulers(0, -1)).map(({ key }) => key));
  const missing = plants.filter(({ id }) => !there.has(id));
  await Promise.all(
    missing.map(({ id }) => {
      const every = intervalMsOf.get(id) ?? 0;
      // An offset of 0 would mean "now" instead of the grid.
      const offset = Math.max(1, phaseMs(id, every));
      const template = { name: 'poll', data: { plantId: id }, opts: { ...attempts, ...kept } };
      return queue.upsertJobScheduler(id, { every, offset }, template);
    }),
  );
}

const onError = (error: Error) => log.debug({ errorName: error.name }, 'BullMQ reported an error');
const bullMq = await loadBullMq();
const queue = new bullMq.Queue(queueName, { connection });
queue.on('error', onError);
await addMissingSchedulers(queue);
// As in Heliograph, a new plant is polled at once, not only on its first slot.
const fresh = plants.filter(({ last_slot: lastSlot }) => lastSlot === null);
await queue.addBulk(
  fresh.map(({ id }) => ({ name: 'start', data: { plantId: id }, opts: { ...attempts, ...kept } })),
);
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
const reconciling = isHardened
  ? setInterval(() => void addMissingSchedulers(queue).catch(onError), reconcilePauseMs)
  : undefined;

/** Takes no new jobs and finishes running ones. */
async function stop(): Promise<never> {
  clearInterval(reconciling);
  await worker.close();
  await queue.close();
  deps.locks.close();
  await db.destroy();
  process.exit();
}
process.once('SIGTERM', () => void stop());
process.once('disconnect', () => void stop());
process.send?.('started');
