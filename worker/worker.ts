import type { Client, Connection } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';

import { Breaker } from '../activities/plants/breaker.ts';
import { createFleetActivities, createPlantActivities } from '../activities/create.ts';
import type { ActivityDeps, Checkpoint } from '../activities/plants/deps.ts';
import { createVendors } from '../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../adapters/clouds/registry.ts';
import { fleetQueue } from '../workflows/messages.ts';
import { bundleWorkflows } from './bundle.ts';
import {
  type Config,
  exitCodes,
  requireMasterKeys,
  requireMockMode,
  requireService,
} from '../environment/config.ts';
import { releaseDeadWorkers } from './dead-workers.ts';
import { withDemoOutages } from '../activities/plants/demo-outages.ts';
import { openLocks } from '../environment/locks.ts';
import type { Log } from '../environment/log.ts';
import type { WorkerMetrics } from './metrics.ts';
import {
  createPlantLoops,
  type LoopOptions,
  plantSearchAttributes,
} from '../operations/plants/loops.ts';
import { triggerReconciliation } from '../operations/fleet-schedule.ts';
import { ensureSearchAttributes } from '../operations/search-attributes.ts';
import { checkMasterKeys, connectDatabase } from '../environment/services.ts';
import { connectTemporal, temporalAway, temporalSecurity } from '../environment/temporal.ts';
import { servedQueues } from './queues.ts';
import { cacheSize, heapProblem, thisMachine } from './workflow-cache.ts';
import { stuckAfterMs, type ThreadWatch, withLeanThreads } from './workflow-threads.ts';

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

/**
 * Starts the workers of all queues, or of those in WORKER_QUEUES.
 *
 * @throws CommandError 78 for a wrong configuration, 69 for a service that is away; nothing runs then.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, log, metrics } = options;
  requireMockMode(config);
  const masterKeys = requireMasterKeys(config);
  const db = await connectDatabase(config, {
    genericPlans: true,
    onError: (error) =>
      log.warn({ code: (error as { code?: string }).code }, 'a database connection was lost'),
  });
  const locks = openLocks(config, () => {
    metrics?.lockFailed();
    lockFailures.add();
  });
  const lockFailures = throttled((count) =>
    log.warn({ calls: count }, 'Redis did not answer in time: polling continues without its lock'),
  );
  let connection: NativeConnection | null = null;
  let client: Client | null = null;
  let watch: ThreadWatch | null = null;
  try {
    await checkMasterKeys(db, config);
    client = await connectTemporal(config);
    connection = await connectTemporalNative(config);
    await warnOfEviction(config, locks, log);
    await ensureSearchAttributes(client, plantSearchAttributes);
    const deps: ActivityDeps = {
      db,
      locks,
      lockDomain: `${await clusterId(client)}/${config.TEMPORAL_NAMESPACE}`,
      vendors: createVendors({
        masterKeys,
        openAdapter:
          options.openAdapter ??
          (await withDemoOutages(createFixtureAdapter, db, () =>
            log.warn({}, 'outages of the demo could not be read'),
          )),
      }),
      breaker: new Breaker(),
      clock: Date.now,
      pollCourse: config.POLL_COURSE === 'steps' ? 'STEPS' : 'WHOLE',
      log,
      checkpoint: options.checkpoint ?? (async () => {}),
    };
    const served = servedQueues.filter(
      ({ name }) => config.WORKER_QUEUES.length === 0 || config.WORKER_QUEUES.includes(name),
    );
    const queues = served.map(({ name }) => name);
    const workflowBundle = options.bundle ?? (await bundleWorkflows());
    const plantActivities =
      metrics?.measured(createPlantActivities(deps)) ?? createPlantActivities(deps);
    metrics?.watch(deps.breaker);
    const fleetActivities = createFleetActivities(
      deps,
      { plants: createPlantLoops(client, options.loops) },
      {
        plantsMin: config.INCIDENT_PLANTS_MIN,
        afterMs: config.INCIDENT_AFTER_SECONDS * 1_000,
      },
    );
    const activities = { plants: plantActivities, fleet: fleetActivities };
    await releaseLoops(client, queues, log);
    hadWorkers = true;
    const cache = cacheSize(config);
    const tooSmall = heapProblem(cache, thisMachine());
    if (tooSmall !== null) log.warn({}, tooSmall);
    const createWorkers = () =>
      Promise.all(
        served.map((queue) =>
          Worker.create({
            connection: connection as NativeConnection,
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
    let workers: Worker[];
    if (config.WORKFLOW_THREADS === 'lean') {
      const lean = await withLeanThreads(createWorkers, () => stuck(log), {
        heapMb: cache.threadHeapMb,
      });
      workers = lean.created;
      watch = lean.watch;
      if (lean.threads === 0)
        log.warn(
          {},
          'this version of the SDK names its workflow threads differently: they are not lean',
        );
    } else {
      workers = await createWorkers();
    }
    const runs = Promise.all(workers.map((worker) => worker.run()));
    if (options.reconcile !== false && queues.includes(fleetQueue))
      await triggerReconciliation(client);
    log.info({ queues, cachedPerQueue: cache.perQueue }, 'worker started');
    return {
      finished: runs.then(
        () => close(),
        async (error: unknown) => {
          for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
          await close();
          throw error;
        },
      ),
      stop: () => {
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      },
      isRunning: () => workers.every((worker) => worker.getState() === 'RUNNING'),
    };
  } catch (error) {
    await close();
    throw error;
  }

  async function close(): Promise<void> {
    watch?.stop();
    locks.close();
    await Promise.allSettled([db.destroy(), connection?.close(), client?.connection.close()]);
  }
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
async function connectTemporalNative(config: Config): Promise<NativeConnection> {
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

async function clusterId(client: Client): Promise<string> {
  const info = await (client.connection as Connection).workflowService.getClusterInfo({});
  return info.clusterId;
}

async function warnOfEviction(
  config: Config,
  locks: ReturnType<typeof openLocks>,
  log: Log,
): Promise<void> {
  if (config.REDIS_URL === undefined) {
    log.warn({}, 'no REDIS_URL: only the database guards the plants');
    return;
  }
  const policy = await locks.evictionPolicy();
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
