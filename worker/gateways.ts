import { hostname } from 'node:os';

import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import type { Kysely } from 'kysely';

import { activityContext, activityMaker } from '../activities/activity.ts';
import type { GatewayActivities } from '../activities/gateways/contract.ts';
import { createEvaluateGateways } from '../activities/gateways/evaluate.ts';
import { createWalkLocks } from '../activities/gateways/locks.ts';
import { createRequestPoll } from '../activities/gateways/request-poll.ts';
import { createTestGateway } from '../activities/gateways/test-gateway.ts';
import { createWalkStore } from '../activities/gateways/store.ts';
import type { WalkClock, WalkMeter } from '../activities/gateways/walk/ports.ts';
import { createWalker, type Walker } from '../activities/gateways/walk/walker.ts';
import { createShards, type Shards } from '../activities/gateways/walk-shard.ts';
import { loadPresets } from '../adapters/modbus/presets.ts';
import { createSites, type Sites } from '../adapters/modbus/site.ts';
import { loadEntry } from '../db/gateways/gateways.ts';
import { findOpenHalt } from '../db/halts.ts';
import { listen } from '../db/listen.ts';
import { noLocks, openLockClient } from '../db/lock.ts';
import type { Database } from '../db/tables.ts';
import { type Config, requireService } from '../environment/config.ts';
import { gatewaySettings } from '../environment/gateways/variables.ts';
import type { Log } from '../environment/log.ts';
import { connectDatabase } from '../environment/services.ts';
import { connectTemporal } from '../environment/temporal.ts';
import { failDeadAttempt } from '../operations/gateways/loops.ts';
import { lockDomain } from '../operations/loops.ts';
import { isOwnerDead, processOwner } from '../operations/process-owner.ts';
import { modbusQueue } from '../workflows/gateways/messages.ts';
import { connectTemporalNative, type RunningWorker } from './worker.ts';

/** The worker of gateways: a process of its own, so that no other work makes its slots late. */

/** After a worker has left, its tasks have nothing more to do. */
const shutdownForceTime = '3s';
/** How often a heartbeat goes to Temporal; the SDK's own limit would be four fifths of the time-out. */
const heartbeatEvery = '1s';
/** Statements of a walker are few and short. */
const poolSize = 6;
/** After a lost connection for notices; until then walkers look every five seconds. */
const listenAgainMs = 1_000;

export interface GatewaysWorkerOptions {
  config: Config;
  log: Log;
  /** Counts what the walker does; absent: nothing does. */
  meter?: GatewaysMeter;
}

/** The metrics of a worker of gateways. */
export interface GatewaysMeter extends WalkMeter {
  watch(parts: {
    sites: Pick<Sites, 'stats'>;
    walker: Pick<Walker, 'totals' | 'successRates'>;
    shards: Pick<Shards, 'count'>;
  }): void;
}

type Closers = (() => unknown)[];

/**
 * Starts to serve `queue:poll:modbus`.
 *
 * @throws CommandError 78 for a wrong configuration, 69 for a service that is away; nothing runs then.
 */
export async function startGatewaysWorker(options: GatewaysWorkerOptions): Promise<RunningWorker> {
  const { config, log } = options;
  const closers: Closers = [];
  const close = async () => {
    for (const closeOne of closers.splice(0).toReversed())
      await Promise.resolve(closeOne()).catch((error: unknown) => {
        log.warn({ error: String(error) }, 'a part of the worker could not be closed');
      });
  };
  try {
    const db = await connectDatabase(config, {
      genericPlans: true,
      poolSize,
      onError: (error) =>
        log.warn({ code: (error as { code?: string }).code }, 'a database connection was lost'),
    });
    closers.push(() => db.destroy());
    const client = await connectTemporal(config);
    closers.push(() => client.connection.close());
    const connection: NativeConnection = await connectTemporalNative(config);
    closers.push(() => connection.close());
    const walking = await openWalking(options, { db, client }, closers);
    const worker = await Worker.create({
      connection,
      namespace: config.TEMPORAL_NAMESPACE,
      taskQueue: modbusQueue,
      activities: walking.activities,
      maxHeartbeatThrottleInterval: heartbeatEvery,
      shutdownForceTime,
    });
    log.info({ queues: [modbusQueue], shards: walking.settings.shards }, 'worker started');
    return run(worker, walking.shards, close, log);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openWalking(
  { config, log, meter }: GatewaysWorkerOptions,
  { db, client }: { db: Kysely<Database>; client: Client },
  closers: Closers,
) {
  const settings = gatewaySettings(config);
  const owner = processOwner();
  const locks = await openLocks(config, client, log);
  closers.push(locks.close);
  const sites = createSites({
    networks: settings.networks,
    requestTimeoutMs: settings.requestTimeoutMs,
    maySend: () => walker.maySend(),
  });
  closers.push(() => sites.close());
  const { limits, shards: count } = settings;
  const evaluate = createEvaluateGateways({ db, limits, shards: count, log });
  const walker = createWalker({
    clock: systemClock,
    sites,
    store: createWalkStore({ db, owner, evaluate }),
    locks: locks.walk,
    log,
    meter: meter ?? noMeter,
    limits,
  });
  closers.push(() => walker.close());
  closers.push(listenTo(config, walker));
  const shards = createShards({
    db,
    walker,
    log,
    owner,
    worker: `${process.pid}@${hostname()}`,
    host: hostname(),
    pid: process.pid,
    shards: count,
    isDead: isOwnerDead,
    failAttempt: (shard, pid) => failDeadAttempt(client, shard, pid),
  });
  meter?.watch({ sites, walker, shards });
  const activity = activityMaker(log, activityContext);
  const test = createTestGateway({
    clock: systemClock,
    log,
    networks: settings.networks,
    requestTimeoutMs: settings.requestTimeoutMs,
    presets: loadPresets(),
    walked: (host, port) => (walker.uses(host, port) ? sites : null),
    findGateway: (id) => loadEntry(db, id),
    isHalted: async () => (await findOpenHalt(db)) !== null,
    signal: () => activityContext().signal,
  });
  const activities: GatewayActivities = {
    // It beats by itself, and knows what its cancellation means.
    walkShard: (args) => shards.walkShard(args),
    requestGatewayPoll: activity('asking for a poll', createRequestPoll({ db })),
    testGateway: activity('trying a gateway', test),
  };
  return { shards, settings, activities };
}

/** Real time. */
export const systemClock: WalkClock = {
  now: Date.now,
  elapsed: () => performance.now(),
  after(ms, call) {
    if (ms > 0) {
      const timer = setTimeout(call, ms);
      return { cancel: () => clearTimeout(timer) };
    }
    const immediate = setImmediate(call);
    return { cancel: () => clearImmediate(immediate) };
  },
};

const noMeter: WalkMeter = { polled: () => {}, missed: () => {} };

async function openLocks(config: Config, client: Client, log: Log) {
  let isTold = false;
  const locks =
    config.REDIS_URL === undefined
      ? noLocks
      : openLockClient({
          kind: 'gateway',
          url: config.REDIS_URL,
          keyPrefix: config.REDIS_KEY_PREFIX,
          onUnavailable: () => {
            if (!isTold)
              log.warn({}, 'Redis did not answer in time: polling continues without its locks');
            isTold = true;
          },
        });
  const owner = await lockDomain(client);
  return { walk: createWalkLocks(locks, owner), close: () => locks.close() };
}

/** Tells the walker what people change and ask for. */
function listenTo(config: Config, walker: Walker): () => Promise<void> {
  const listener = listen({
    url: requireService(config, 'DATABASE_URL'),
    applicationName: 'heliograph gateways',
    channels: ['gateways_changed', 'gateway_requests', 'polling_halts'],
    reconnectMs: listenAgainMs,
    heard(channel, payload) {
      if (channel === 'gateways_changed') walker.hearGateway(payload === '' ? null : payload);
      else if (channel === 'gateway_requests') walker.hearRequest();
      else walker.hearHalt();
    },
    connected: () => walker.hearHalt(),
  });
  return () => listener.close();
}

/** @param close runs when the worker has stopped. */
function run(worker: Worker, shards: Shards, close: () => Promise<void>, log: Log): RunningWorker {
  let isStopping = false;
  // The shards first: while the worker still serves, their attempts end at once and others go on.
  const leave = async () => {
    try {
      await shards.leave();
    } catch (error) {
      log.error({ error: String(error) }, 'the shards were not left');
    }
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const stop = () => {
    if (isStopping) return;
    isStopping = true;
    void leave();
  };
  const end = async () => {
    await shards.leave();
    await close();
  };
  const finished = worker.run().then(end, async (error: unknown) => {
    await end();
    throw error;
  });
  return { finished, stop, isRunning: () => !isStopping && worker.getState() === 'RUNNING' };
}
