import type { Client } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';

import { Breaker } from '../activities/plants/breaker.ts';
import {
  createFleetActivities,
  createNotificationActivities,
  createPlantActivities,
} from '../activities/create.ts';
import { createHaltWatch } from '../activities/halts.ts';
import { noticeReaders } from '../activities/notice-readers.ts';
import { findPollingTrouble, readPlantsBrief } from '../activities/plants/notices.ts';
import type { ActivityDeps } from '../activities/plants/deps.ts';
import type { Checkpoint } from '../activities/deps.ts';
import { createVendors } from '../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../adapters/clouds/registry.ts';
import type { MasterKeys } from '../db/sealing.ts';
import { fleetQueue } from '../workflows/messages.ts';
import { bundleWorkflows } from './bundle.ts';
import { channelOpener, environmentChannels } from './channels.ts';
import {
  type Config,
  exitCodes,
  requireMasterKeys,
  requireMockMode,
  requireService,
} from '../environment/config.ts';
import { releaseDeadWorkers } from './dead-workers.ts';
import { findChannelKinds, keepEnvironmentChannels } from '../db/notifications/channels.ts';
import { findUnsubscribeToken } from '../db/notifications/subscriptions.ts';
import { listenForNotifications } from '../db/notifications/listen.ts';
import { notificationSettings } from '../environment/notifications/variables.ts';
import { systemComponents } from '../operations/components.ts';
import { runAudit, runValidate } from '../operations/checks.ts';
import { createLook, diagnose, type Services } from '../operations/diagnosis.ts';
import { diskReader } from '../operations/disks.ts';
import { createGatewayLoops } from '../operations/gateways/loops.ts';
import { createNotificationLoops } from '../operations/notifications/loops.ts';
import { notificationsQueue } from '../workflows/notifications/messages.ts';
import { withDemoOutages } from '../activities/plants/demo-outages.ts';
import { askRedis, listLocks } from '../db/lock.ts';
import { openLocks } from '../environment/locks.ts';
import type { Log } from '../environment/log.ts';
import type { WorkerMetrics } from './metrics.ts';
import {
  createPlantLoops,
  type LoopOptions,
  plantSearchAttributes,
} from '../operations/plants/loops.ts';
import { lockDomain } from '../operations/loops.ts';
import { createSchedule, schedules, triggerReconciliation } from '../operations/fleet-schedule.ts';
import { ensureSearchAttributes } from '../operations/search-attributes.ts';
import { checkMasterKeys, connectDatabase } from '../environment/services.ts';
import { connectTemporal, temporalAway, temporalSecurity } from '../environment/temporal.ts';
import { servedQueues } from './queues.ts';
import { cacheSize, heapProblem, thisMachine } from './workflow-cache.ts';
import { stuckAfterMs, withLeanThreads } from './workflow-threads.ts';

/** The worker of a process: opens the services, creates the activities, and serves the task queues. */

/** Time for running activities to finish at a stop. A regular fetch may take longer; another worker then repeats it. */
const shutdownGraceTime = '5s';
/** After this the process ends even if something still runs. */
const shutdownForceTime = '6s';
/**
 * After this time a dead worker's cached loops go to others. With a shorter time, an overload that queues tasks for longer
 * would evict loops from their cache, and the replays would make it worse.
 */
const stickyQueueScheduleToStartTimeout = '10s';

export interface RunningWorker {
  /** Resolves when all workers have stopped; rejects when one fails. */
  finished: Promise<void>;
  stop(): void;
  /** Whether every queue is served. */
  isRunning(): boolean;
}

export interface WorkerOptions {
  config: Config;
  log: Log;
  bundle?: WorkflowBundle;
  /** Tests kill a worker at these points. */
  checkpoint?: (name: Checkpoint) => Promise<void>;
  /** Tests let vendors hang. */
  openAdapter?: typeof createFixtureAdapter;
  /** The course of polls in loops that it starts; default: as in production. */
  loops?: LoopOptions;
  /** Whether the fleet is reconciled once at the start; default true. */
  reconcile?: boolean;
  /** Counts what the worker does; default: no metrics. */
  metrics?: WorkerMetrics;
}

let runtimeInstalled = false;
/** Whether this process has had workers. */
let hadWorkers = false;

/**
 * Sends Temporal's log lines to our log and keeps signal handling to ourselves. Once for each process.
 *
 * @param sdkMetricsAddress host:port where the SDK serves its metrics; null: none.
 */
export function installRuntime(log: Log, sdkMetricsAddress: string | null = null): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      const fields = {
        ...meta,
        error: meta?.['error'] instanceof Error ? meta['error'].message : meta?.['error'],
      };
      if (level === 'ERROR') log.error(fields, message);
      else log.warn(fields, message);
    }),
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
      ...(sdkMetricsAddress === null
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress: sdkMetricsAddress,
                countersTotalSuffix: true,
                unitSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
  });
}

/** Ends what `installRuntime` began, for a process whose worker did not start: the SDK would keep the process alive. */
export async function endRuntime(): Promise<void> {
  if (!runtimeInstalled) return;
  runtimeInstalled = false;
  await Runtime.instance().shutdown();
}

interface OpenServices {
  db: Awaited<ReturnType<typeof connectDatabase>>;
  locks: ReturnType<typeof openLocks>;
  client: Client;
  connection: NativeConnection;
}

/** Runs at the end of the worker, in any order. */
type Closers = (() => unknown)[];

/**
 * Starts the workers of all queues, or of those in WORKER_QUEUES.
 *
 * @throws CommandError 78 for a wrong configuration, 69 for a service that is away; nothing runs then.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, log } = options;
  requireMockMode(config);
  const masterKeys = requireMasterKeys(config);
  const closers: Closers = [];
  const close = () => Promise.allSettled(closers.map(async (closeOne) => closeOne()));
  try {
    const services = await openServices(options, closers);
    const served = servedQueues.filter(
      ({ name }) => config.WORKER_QUEUES.length === 0 || config.WORKER_QUEUES.includes(name),
    );
    const queues = served.map(({ name }) => name);
    const workflowBundle = options.bundle ?? (await bundleWorkflows());
    const activities = createActivities(
      options,
      await openDeps(options, services, masterKeys),
      services.client,
    );
    if (queues.includes(notificationsQueue)) await serveNotifications(options, services, closers);
    await releaseLoops(services.client, queues, log);
    hadWorkers = true;
    const cache = cacheSize(config);
    const tooSmall = heapProblem(cache, thisMachine());
    if (tooSmall !== null) log.warn({}, tooSmall);
    const createWorkers = () =>
      Promise.all(
        served.map((queue) =>
          Worker.create({
            connection: services.connection,
            namespace: config.TEMPORAL_NAMESPACE,
            taskQueue: queue.name,
            workflowBundle,
            activities: activities[queue.activities],
            maxCachedWorkflows: queue.cached === 'LOOPS' ? cache.perQueue : queue.cached,
            shutdownGraceTime,
            shutdownForceTime,
            maxConcurrentWorkflowTaskExecutions: queue.places,
            stickyQueueScheduleToStartTimeout,
          }),
        ),
      );
    const workers =
      config.WORKFLOW_THREADS === 'lean'
        ? await createLean(createWorkers, cache.threadHeapMb, log, closers)
        : await createWorkers();
    const running = run(workers, close);
    if (options.reconcile !== false && queues.includes(fleetQueue)) {
      for (const schedule of schedules) await createSchedule(services.client, schedule);
      await triggerReconciliation(services.client);
    }
    log.info({ queues, cachedPerQueue: cache.perQueue }, 'worker started');
    return running;
  } catch (error) {
    await close();
    throw error;
  }
}

async function openServices(
  { config, log, metrics }: WorkerOptions,
  closers: Closers,
): Promise<OpenServices> {
  const db = await connectDatabase(config, {
    genericPlans: true,
    onError: (error) =>
      log.warn({ code: (error as { code?: string }).code }, 'a database connection was lost'),
  });
  closers.push(() => db.destroy());
  const lockFailures = throttled((count) =>
    log.warn({ calls: count }, 'Redis did not answer in time: polling continues without its lock'),
  );
  const locks = openLocks(config, () => {
    metrics?.lockFailed();
    lockFailures.add();
  });
  closers.push(() => locks.close());
  await checkMasterKeys(db, config);
  const client = await connectTemporal(config);
  closers.push(() => client.connection.close());
  const connection = await connectTemporalNative(config);
  closers.push(() => connection.close());
  await warnOfEviction(config, log);
  await ensureSearchAttributes(client, plantSearchAttributes);
  return { db, locks, client, connection };
}

/** Makes the channels what the environment says, and wakes their loops when somebody writes a notification. */
async function serveNotifications(
  { config, log }: WorkerOptions,
  { db, client }: OpenServices,
  closers: Closers,
): Promise<void> {
  await keepEnvironmentChannels(db, environmentChannels(notificationSettings(config)));
  const loops = createNotificationLoops(client);
  const listener = listenForNotifications(
    requireService(config, 'DATABASE_URL'),
    async () => {
      // The loop of a new kind need not wait for the reconciliation: a test of its first channel starts it.
      for (const id of await findChannelKinds(db)) await loops.wake({ id });
    },
    () => log.warn({}, 'notifications are looked for every ten seconds only'),
  );
  closers.push(() => listener.close());
}

async function openDeps(
  { config, log, checkpoint, openAdapter }: WorkerOptions,
  { db, locks, client }: OpenServices,
  masterKeys: MasterKeys,
): Promise<ActivityDeps> {
  const onError = () => log.warn({}, 'outages of the demo could not be read');
  const isHalted = createHaltWatch(db);
  return {
    db,
    locks,
    lockDomain: await lockDomain(client),
    vendors: createVendors({
      masterKeys,
      isHalted,
      openAdapter: openAdapter ?? (await withDemoOutages(createFixtureAdapter, db, onError)),
    }),
    breaker: new Breaker(),
    isHalted,
    clock: Date.now,
    pollCourse: config.POLL_COURSE === 'steps' ? 'STEPS' : 'WHOLE',
    log,
    checkpoint: checkpoint ?? (async () => {}),
  };
}

function createActivities(
  { config, loops, metrics }: WorkerOptions,
  deps: ActivityDeps,
  client: Client,
) {
  const masterKeys = requireMasterKeys(config);
  const services = diagnosed(config, deps, client);
  const plants = createPlantActivities(deps);
  metrics?.watch(deps.breaker);
  const limits = {
    plantsMin: config.INCIDENT_PLANTS_MIN,
    afterMs: config.INCIDENT_AFTER_SECONDS * 1_000,
  };
  return {
    plants: metrics?.measured(plants) ?? plants,
    fleet: createFleetActivities(
      deps,
      {
        plants: createPlantLoops(client, loops),
        notifications: createNotificationLoops(client),
        gateways: createGatewayLoops(client, config.GATEWAY_SHARDS),
      },
      {
        limits,
        shards: config.GATEWAY_SHARDS,
        diagnose: async () =>
          (await diagnose(systemComponents, createLook(services, diagnosisMsMax))).findings,
        checks: {
          VALIDATE: () => runValidate(createLook(services, validationMsMax)),
          AUDIT: (nowMs) => runAudit({ ...services, client, locks: deps.locks }, nowMs),
        },
      },
    ),
    notifications: createNotificationActivities({
      ...deps,
      notices: noticeReaders,
      readBrief: readPlantsBrief,
      findTrouble: findPollingTrouble,
      openChannel: channelOpener(deps.db, masterKeys, notificationSettings(config)),
      findUnsubscribeToken: (routeId) => findUnsubscribeToken(deps.db, masterKeys, routeId),
      publicUrl: config.PUBLIC_URL ?? null,
    }),
  };
}

/** Time for each part of the system to answer. */
const diagnosisMsMax = 10_000;

/** Time for each part of a validation, which looks at every plant and gateway. */
const validationMsMax = 60_000;

/** What the diagnosis of the running system reads, as health and status show it. */
function diagnosed(config: Config, { db, clock }: ActivityDeps, temporal: Client): Services {
  const { REDIS_URL, REDIS_KEY_PREFIX: keyPrefix, WATCHED_FOLDERS } = config;
  const parts = {
    db,
    clock,
    temporal,
    readDisks: diskReader(WATCHED_FOLDERS),
    gatewayShards: config.GATEWAY_SHARDS,
  };
  if (REDIS_URL === undefined) return { ...parts, askRedis: null };
  return {
    ...parts,
    askRedis: () => askRedis(REDIS_URL),
    listLocks: (kind) => listLocks({ kind, url: REDIS_URL, keyPrefix }),
  };
}

async function createLean(
  createWorkers: () => Promise<Worker[]>,
  heapMb: number,
  log: Log,
  closers: Closers,
): Promise<Worker[]> {
  const lean = await withLeanThreads(createWorkers, () => stuck(log), { heapMb });
  closers.push(() => lean.watch.stop());
  if (lean.threads === 0)
    log.warn(
      {},
      'this version of the SDK names its workflow threads differently: they are not lean',
    );
  return lean.created;
}

function run(workers: readonly Worker[], close: () => Promise<unknown>): RunningWorker {
  const isServing = (worker: Worker) => worker.getState() === 'RUNNING';
  const stop = () => {
    for (const worker of workers.filter(isServing)) worker.shutdown();
  };
  const end = async () => {
    stop();
    await close();
  };
  const finished = Promise.all(workers.map((worker) => worker.run())).then(
    end,
    async (error: unknown) => {
      await end();
      throw error;
    },
  );
  return { finished, stop, isRunning: () => workers.every(isServing) };
}

/** Makes a restart after a crash as quick as after a stop; without it the loops wait for ten seconds. */
async function releaseLoops(client: Client, queues: readonly string[], log: Log): Promise<void> {
  try {
    const released = await releaseDeadWorkers(client, queues, { hadWorkers });
    if (released.length > 0)
      log.info({ queues: released.length }, 'took over the loops of a worker that died here');
  } catch (error) {
    log.warn({ error }, 'loops of workers that died here wait until Temporal notices it');
  }
}

/** A loop that never returns would hold its thread for ever, so the process ends and another takes over. */
function stuck(log: Log): void {
  log.error(
    {},
    `workflow code did not return for ${stuckAfterMs / 1_000} s: the worker ends, so that another takes over (with WORKFLOW_THREADS=sdk only the task of that workflow fails)`,
  );
  process.exit(exitCodes.failed);
}

const loopback = /^(127\.|localhost|\[::1\])/;

/** A worker's connection; uncompressed on loopback, where compression costs 1 ms of CPU a poll on either side. */
export async function connectTemporalNative(config: Config): Promise<NativeConnection> {
  const address = requireService(config, 'TEMPORAL_ADDRESS');
  try {
    return await NativeConnection.connect({
      ...temporalSecurity(),
      address,
      ...(loopback.test(address) ? { grpcCompression: { codec: 'none' as const } } : {}),
    });
  } catch (cause) {
    throw temporalAway(config, cause);
  }
}

async function warnOfEviction(config: Config, log: Log): Promise<void> {
  if (config.REDIS_URL === undefined) {
    log.warn({}, 'no REDIS_URL: only the database guards the plants');
    return;
  }
  const policy = await askRedis(config.REDIS_URL).then(
    (answer) => answer.evictionPolicy,
    () => null,
  );
  if (policy === null)
    log.warn({}, 'Redis does not show its maxmemory-policy (or is away): it must be noeviction');
  else if (policy !== 'noeviction')
    log.warn(
      { policy },
      'Redis MUST NOT EVICT: set maxmemory-policy noeviction, or locks vanish when memory is short',
    );
}

/** Reports many similar events at most once in ten seconds. */
function throttled(tell: (count: number) => void): { add(): void } {
  let count = 0;
  let toldAt = -Infinity;
  return {
    add() {
      count += 1;
      if (performance.now() - toldAt < 10_000) return;
      tell(count);
      count = 0;
      toldAt = performance.now();
    },
  };
}
