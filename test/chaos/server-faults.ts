import { Redis } from 'ioredis';
import { sql } from 'kysely';

import { isAlive } from '../../worker/dead-workers.ts';
import { openLockClient } from '../../db/lock.ts';
import type { ManagedServer } from '../../stack/up.ts';
import { lockMsMax, timerMs } from '../support/promises.ts';
import { countChanged, patiently, readRowTexts } from './ledger.ts';
import { type Afterwards, type FaultOf, type Injector, pause, type Scene } from './scene.ts';
import type { RedisKind } from './schedule.ts';
import type { Stage } from './stage.ts';

/** Faults of the servers: Temporal, PostgreSQL and Redis are killed, emptied, away. */

const lockTries = 10;
const unansweredMs = 500;

export const killTemporal: Injector<FaultOf<'TEMPORAL_KILLED'>> = async (fault, scene) => {
  const before = await readRowTexts(scene.stage.db);
  await takeAway(scene, scene.stage.temporal, 'SIGKILL', fault.lastsS);
  return rowsAreAsBefore(scene, before);
};

export const restartPostgres: Injector<FaultOf<'POSTGRES_RESTARTED'>> = async (fault, scene) => {
  const before = await readRowTexts(scene.stage.db);
  await takeAway(scene, scene.stage.postgres, fault.signal ?? undefined, 0);
  scene.note('by', fault.signal ?? 'order');
  return rowsAreAsBefore(scene, before);
};

export const takePostgresAway: Injector<FaultOf<'POSTGRES_AWAY'>> = async (fault, scene) => {
  const before = await readRowTexts(scene.stage.db);
  await takeAway(scene, scene.stage.postgres, undefined, fault.lastsS);
  return rowsAreAsBefore(scene, before);
};

export const endPostgresConnections: Injector<FaultOf<'POSTGRES_CONNECTIONS_ENDED'>> = async (
  _,
  scene,
) => {
  const { db } = scene.stage;
  const before = await readRowTexts(db);
  const ended = await patiently(() =>
    sql<{ ended: boolean }>`
      select pg_terminate_backend(pid) as ended from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db),
  );
  const connections = ended.rows.filter((row) => row.ended).length;
  scene.note('connections', connections);
  if (connections === 0) scene.problem('no connection was ended');
  return rowsAreAsBefore(scene, before);
};

/** Ends a server, by force or in order, and starts it again on the same files. */
async function takeAway(
  { problem, signal }: Scene,
  server: ManagedServer,
  by: NodeJS.Signals | undefined,
  lastsS: number,
): Promise<void> {
  const { pid } = server;
  await server.stop(by);
  if (isAlive(pid)) problem(`process ${pid} was not ended`);
  try {
    await pause(lastsS, signal);
  } finally {
    await server.start();
  }
}

/** No row that was acknowledged is lost or changed. */
function rowsAreAsBefore(scene: Scene, before: ReadonlyMap<string, string>): Afterwards {
  return async () => {
    const changed = await countChanged(scene.stage.db, before);
    scene.note('rows_before', before.size);
    if (changed > 0)
      scene.problem(`${changed} of the ${before.size} rows from before are gone or changed`);
  };
}

export const breakRedis: Injector<FaultOf<RedisKind>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const locks = openLockClient({ kind: 'plant', url: stage.redisUrl, onUnavailable: () => {} });
  try {
    await pause(0.2, signal);
    const mend = await breakIt(fault.kind, fault.lastsS, scene);
    try {
      const tookMs: number[] = [];
      for (let n = 0; n < lockTries; n += 1) {
        const beganAt = performance.now();
        await locks.acquire('chaos', 'chaos', 1);
        tookMs.push(performance.now() - beganAt);
      }
      const medianMs = Math.round(tookMs.toSorted((a, b) => a - b)[lockTries / 2] ?? NaN);
      scene.note('lock_ms', medianMs);
      if (medianMs > lockMsMax + timerMs)
        scene.problem(`a lock took ${medianMs} ms, ${lockMsMax} ms are allowed`);
      const rest = fault.lastsS - tookMs.reduce((sum, ms) => sum + ms, 0) / 1_000;
      await pause(Math.max(0, rest), signal);
    } finally {
      await mend();
    }
  } finally {
    locks.close();
  }
  return null;
};

/** Breaks Redis; says where it could not. @returns what mends it. */
async function breakIt(
  kind: RedisKind,
  lastsS: number,
  { stage, problem, note }: Scene,
): Promise<() => Promise<void>> {
  switch (kind) {
    case 'REDIS_KILLED': {
      const { pid } = stage.redis;
      await stage.redis.stop('SIGKILL');
      if (isAlive(pid)) problem(`process ${pid} was not ended`);
      return () => stage.redis.start();
    }
    case 'REDIS_FLUSHED':
      note('keys', Number(await command(stage, 'DBSIZE')));
      if ((await command(stage, 'FLUSHALL')) !== 'OK') problem('Redis was not emptied');
      return async () => {};
    case 'REDIS_PAUSED': {
      await command(stage, 'CLIENT', 'PAUSE', String(lastsS * 1_000), 'ALL');
      if ((await answersWithin(stage, unansweredMs)) !== null) problem('Redis did not pause');
      return async () => {};
    }
    case 'REDIS_READ_ONLY':
      // A replica of nobody, which takes no writes.
      await command(stage, 'REPLICAOF', '127.0.0.1', '1');
      if (!(await isReadOnly(stage))) problem('Redis took a write');
      return async () => void (await command(stage, 'REPLICAOF', 'NO', 'ONE'));
  }
}

async function command(stage: Stage, ...words: [string, ...string[]]): Promise<unknown> {
  const redis = new Redis(stage.redisUrl);
  try {
    return await redis.call(...words);
  } finally {
    redis.disconnect();
  }
}

async function answersWithin(stage: Stage, limitMs: number): Promise<string | null> {
  const redis = new Redis(stage.redisUrl, {
    commandTimeout: limitMs,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
  });
  redis.on('error', () => {});
  try {
    return await redis.ping();
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

async function isReadOnly(stage: Stage): Promise<boolean> {
  try {
    await command(stage, 'SET', 'chaos', '1', 'PX', '1');
    return false;
  } catch (error) {
    return String(error).includes('READONLY');
  }
}
