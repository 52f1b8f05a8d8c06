import { join } from 'node:path';
import { unprivilegedAccount } from './account.ts';
import { cacheFolder, type PlacesEnvironment } from './cache.ts';
import { makeDataDir } from './data-dir.ts';
import { keepRunning } from './keep.ts';
import { claimDataDir } from './lock.ts';
import { PortBook } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { embeddedPackageDir } from './postgres-binaries.ts';
import { startRedis } from './redis.ts';
import type { ManagedServer, ServerProcess } from './server.ts';
import { messageOf, StackError } from './stack-error.ts';
import { startTemporal } from './temporal.ts';
import { findTemporal, installedTemporal } from './temporal-binary.ts';

export { DataDirError } from './data-dir.ts';
export { StackError } from './stack-error.ts';
export type { ManagedServer } from './server.ts';

/** The services that the environment names: they are used, not started. Empty counts as absent. */
export interface StackEnvironment extends PlacesEnvironment {
  DATABASE_URL?: string | undefined;
  REDIS_URL?: string | undefined;
  TEMPORAL_ADDRESS?: string | undefined;
  TEMPORAL_NAMESPACE?: string | undefined;
}

export interface StackOptions {
  /** The folder of all data; created if missing, and then for its user alone. */
  dataDir: string;
  /** Receives lines for people about slow steps and surprises. */
  log: (line: string) => void;
  /** By default no service is given. If missing, PATH and XDG_CACHE_HOME are those of this process. */
  env?: StackEnvironment;
  /** Temporal lets workflows skip time. For tests only. */
  timeSkipping?: boolean;
  /** Default true. */
  temporalUi?: boolean;
  /** For tests: written data survive the death of the servers, but not of the machine. */
  ephemeral?: boolean;
  /** Servers that end by themselves are started again; default false. */
  restart?: boolean;
  /** Aborts the start: started servers stop, and `bringUpStack` rejects. */
  signal?: AbortSignal;
}

export interface Stack {
  databaseUrl: string;
  /** Null: there is no Redis on this machine; the log says so. */
  redisUrl: string | null;
  /** Prefix of every key; not empty if other programs share the Redis, which then must not be flushed. */
  redisKeyPrefix: string;
  temporalAddress: string;
  temporalNamespace: string;
  temporalUiUrl: string | null;
  /** Null: not ours. */
  postgres: ManagedServer | null;
  redis: ManagedServer | null;
  temporal: ManagedServer | null;
  /** The `temporal` program (server and CLI); null if there is none and none was needed. */
  temporalBinary: string | null;
  /** Aborted when a server ends so often that it is not started again; the reason is a StackError. */
  broken: AbortSignal;
  /** Resolves when no server is being started again. */
  untilWhole(): Promise<void>;
  /** Stops all started servers within 8 s; may be called more than once. */
  stop(): Promise<void>;
}

const defaultNamespace = 'default';
/** Slower steps are announced. */
const slowMs = 2_000;

/** Throws a StackError of one sentence if something is missing that `bringUpStack` cannot supply. Starts nothing. */
export function checkPrerequisites(env: StackEnvironment): void {
  if (!env.DATABASE_URL) {
    embeddedPackageDir();
    unprivilegedAccount();
  }
  if (!env.TEMPORAL_ADDRESS) findTemporal(complete(env));
}

/**
 * Starts PostgreSQL, Redis and Temporal, except those that the environment names, and resolves when all serve. Call it from
 * the main thread: the servers end with the thread that started them. Rejects with a StackError; then nothing keeps running.
 */
export async function bringUpStack(options: StackOptions): Promise<Stack> {
  const env = complete(options.env ?? {});
  checkPrerequisites(env);
  const dataDir = makeDataDir(options.dataDir);
  const lock = claimDataDir(dataDir);
  const started: ServerProcess[] = [];
  let keeper = keepRunning([], options.log);
  const stop = async (): Promise<void> => {
    try {
      await keeper.stop();
      await stopAll(started);
    } finally {
      lock.release();
    }
  };
  try {
    const services = await startAll(options, env, dataDir, started);
    if (options.restart === true) keeper = keepRunning(started, options.log);
    const { broken, untilWhole } = keeper;
    return { ...services, broken, untilWhole, stop };
  } catch (error) {
    await stop();
    if (options.signal?.aborted) throw new StackError('stopped while the servers were starting.');
    if (error instanceof StackError) throw error;
    throw new StackError(`cannot bring up the servers: ${messageOf(error)}`, { cause: error });
  }
}

async function startAll(
  options: StackOptions,
  env: StackEnvironment,
  dataDir: string,
  started: ServerProcess[],
): Promise<Omit<Stack, 'stop' | 'broken' | 'untilWhole'>> {
  const { log, ephemeral = false } = options;
  const { signal, start } = createStarter(options, started);
  const ports = new PortBook(join(dataDir, 'ports.json'), dataDir);
  const common = { dataDir, ephemeral, log, signal, ports };
  const namespace = env.TEMPORAL_NAMESPACE || defaultNamespace;
  const all = [
    env.DATABASE_URL
      ? Promise.resolve({ url: env.DATABASE_URL, server: null })
      : start('PostgreSQL', () => startPostgres({ ...common, cacheDir: cacheFolder(env) })),
    env.REDIS_URL
      ? Promise.resolve({ url: env.REDIS_URL, keyPrefix: '', server: null })
      : start('Redis', () => startRedis({ ...common, path: env.PATH })),
    env.TEMPORAL_ADDRESS
      ? Promise.resolve({
          address: env.TEMPORAL_ADDRESS,
          uiUrl: null,
          binary: installedTemporal(env),
          server: null,
        })
      : start('Temporal', () =>
          startTemporal({
            ...common,
            source: findTemporal(env),
            namespace,
            timeSkipping: options.timeSkipping ?? false,
            ui: options.temporalUi ?? true,
          }),
        ),
  ] as const;
  // A failure is reported after the others have ended, so that nothing keeps running.
  await Promise.allSettled(all);
  const [postgres, redis, temporal] = await Promise.all(all);
  return {
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    redisKeyPrefix: redis.keyPrefix,
    temporalAddress: temporal.address,
    temporalNamespace: namespace,
    temporalUiUrl: temporal.uiUrl,
    postgres: postgres.server,
    redis: redis.server,
    temporal: temporal.server,
    temporalBinary: temporal.binary,
  };
}

/** `start` adds what it started to `started`, and announces a slow start. One failure aborts all starts through `signal`. */
function createStarter(options: StackOptions, started: ServerProcess[]) {
  const giveUp = new AbortController();
  const signal = AbortSignal.any([giveUp.signal, ...(options.signal ? [options.signal] : [])]);
  const start = async <T extends { server: ServerProcess | null }>(
    name: string,
    run: () => Promise<T>,
  ): Promise<T> => {
    const slow = setTimeout(() => options.log(`${name}: starting …`), slowMs);
    try {
      const result = await run();
      if (result.server !== null) started.push(result.server);
      return result;
    } catch (error) {
      giveUp.abort(error);
      throw signal.reason;
    } finally {
      clearTimeout(slow);
    }
  };
  return { signal, start };
}

async function stopAll(servers: ManagedServer[]): Promise<void> {
  const endings = await Promise.allSettled(servers.map((server) => server.stop()));
  for (const ending of endings) {
    if (ending.status === 'rejected') throw ending.reason;
  }
}

/** What this process's environment says of the machine, unless `env` has its own. */
function complete(env: StackEnvironment): StackEnvironment {
  const { PATH, XDG_CACHE_HOME, HOME, TEMPORAL_DOWNLOAD } = process.env;
  return { PATH, XDG_CACHE_HOME, HOME, TEMPORAL_DOWNLOAD, ...env };
}
