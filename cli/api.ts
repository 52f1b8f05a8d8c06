import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { getRequestListener, RequestError } from '@hono/node-server';

import { readAllNotices } from '../activities/notice-readers.ts';
import { seal } from '../db/sealing.ts';
import { isServiceError } from '../db/service-error.ts';
import { createFixtureAdapter, credentialProblem, registry } from '../adapters/clouds/registry.ts';
import { SessionStore } from '../adapters/clouds/session.ts';
import { loadPresets } from '../adapters/modbus/presets.ts';
import { createApp } from '../api/app.ts';
import { gatewayPollWaitMs } from '../api/gateways/actions-routes.ts';
import type { ApiDeps } from '../api/deps.ts';
import { openDatabase } from '../db/database.ts';
import { askRedis, listLocks, type LockKind } from '../db/lock.ts';
import type { CredentialForm } from '../domain/plants/credential-form.ts';
import type { Brand } from '../domain/plants/plant.ts';
import {
  CommandError,
  type Config,
  exitCodes,
  requireJwtKey,
  requireMasterKeys,
  requireMockMode,
  requireService,
  webUiUrl,
} from '../environment/config.ts';
import type { Log } from '../environment/log.ts';
import { checkMasterKeys, connectDatabase } from '../environment/services.ts';
import { openTemporal } from '../environment/temporal.ts';
import { diskReader } from '../operations/disks.ts';
import { productVersion } from '../operations/version.ts';

/** Connects the API with its real services and serves it. */

/** Time for running requests to end at a stop, ms. */
const stopMsMax = 8_000;
/**
 * Time limits for receiving headers and body; no legitimate request is slower. Node looks for late ones at an interval, so
 * slow headers end within 8 s.
 */
const headersTimeoutMs = 7_000;
const requestTimeoutMs = 20_000;
const timeoutCheckMs = 1_000;
/** Connections for what pages and lists read; `db` has its own for signing in and for what people decide. */
const readPoolSize = 5;
/** Longer than proxies in front keep idle connections; otherwise a proxy could send into a connection that just closed. */
const keepAliveTimeoutMs = 75_000;
/** Time limit of a vendor's login, ms. */
const connectionTestMs = 20_000;
/** Longer than an attempt may take. */
const testMessageMs = 30_000;

export interface RunningApi {
  /** `http://host:port` on which it listens. */
  url: string;
  stop(): Promise<void>;
}

/**
 * Serves the API.
 *
 * @throws CommandError 78 for a wrong configuration, 69 if PostgreSQL is away or the port is taken; Temporal and Redis may
 * be away.
 */
export async function startApi(config: Config, log: Log): Promise<RunningApi> {
  requireMockMode(config);
  const jwtKey = requireJwtKey(config);
  const onError = (error: Error) =>
    log.warn({ code: (error as { code?: string }).code }, 'a database connection was lost');
  const db = await connectDatabase(config, { onError });
  const url = requireService(config, 'DATABASE_URL');
  const readDb = openDatabase({ url, poolSize: readPoolSize, onError });
  let deps: ApiDeps | null = null;
  const close = () =>
    Promise.allSettled([db.destroy(), readDb.destroy(), deps?.temporal.connection.close()]);
  try {
    await checkMasterKeys(db, config);
    deps = { ...outerWorld(config), db, readDb, log, jwtKey };
    const { API_HOST: host, API_PORT: port } = config;
    const served = await serveApp(createApp(deps), { host, port });
    log.info({ url: served.url }, 'API listens');
    return {
      url: served.url,
      async stop() {
        await served.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The API's dependencies other than the database. */
export function outerWorld(config: Config): Omit<ApiDeps, 'db' | 'readDb' | 'log' | 'jwtKey'> {
  const redisUrl = config.REDIS_URL;
  const brands = Object.entries(registry) as [Brand, (typeof registry)[Brand]][];
  return {
    temporal: openTemporal(config),
    askRedis: redisUrl === undefined ? null : () => askRedis(redisUrl),
    ...(redisUrl === undefined
      ? {}
      : {
          listLocks: (kind: LockKind) =>
            listLocks({ kind, url: redisUrl, keyPrefix: config.REDIS_KEY_PREFIX }),
        }),
    readDisks: diskReader(config.WATCHED_FOLDERS),
    gatewayShards: config.GATEWAY_SHARDS,
    seal: (place, secrets) => seal(requireMasterKeys(config), place, secrets),
    credentialForms: Object.fromEntries(
      brands.map(([brand, { definition }]): [Brand, CredentialForm] => [brand, definition]),
    ) as ApiDeps['credentialForms'],
    credentialProblem,
    testConnection: ({ brand, vendorPlantId, timezone, credentials }) =>
      createFixtureAdapter({
        brand,
        plant: { vendorPlantId, timezone, capacityKw: null, latitude: null, longitude: null },
        credentials,
        session: new SessionStore(),
        now: new Date(),
        signal: AbortSignal.timeout(connectionTestMs),
      }).testConnection(),
    isServiceError,
    clock: Date.now,
    publicUrl: config.PUBLIC_URL ?? null,
    trustedProxies: config.TRUSTED_PROXIES,
    metricsToken: config.METRICS_TOKEN ?? null,
    temporalUiUrl: webUiUrl(config),
    readTitles: readAllNotices,
    testMessageMs,
    gatewayPollMs: gatewayPollWaitMs,
    pollIntervalS: config.POLL_INTERVAL_SECONDS,
    gatewayPresets: loadPresets(),
    statusProfile: config.DEFAULT_STATUS_PROFILE,
    version: productVersion(),
  };
}

/** Serves the app on this address; port 0 takes a free one. @throws CommandError 69 if it cannot listen there. */
export async function serveApp(
  app: ReturnType<typeof createApp>,
  { host, port }: { host: string; port: number },
): Promise<RunningApi> {
  const answer = getRequestListener(app.fetch, {
    // A host or path that is no URL reaches no route: answered as an unknown page is, with the same headers.
    errorHandler: async (error) =>
      error instanceof RequestError
        ? app.request('/malformed-request')
        : new Response(null, { status: 500 }),
  });
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new CommandError(
          `the API cannot listen on ${host}:${port} (${cause.code ?? 'unknown error'}): set API_PORT, or 0 for a free port`,
          exitCodes.serviceAway,
          { cause },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    stop: () => closeServer(server),
  };
}

/** Accepts no new requests, waits for running ones up to the limit, then closes their connections. */
async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      server.closeAllConnections();
    }, stopMsMax);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
