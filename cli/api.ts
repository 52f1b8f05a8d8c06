import type { AddressInfo } from 'node:net';

import { createAdaptorServer } from '@hono/node-server';

import { sealCredentials } from '../db/sealing.ts';
import { isServiceError } from '../db/service-error.ts';
import { createFixtureAdapter, registry } from '../adapters/clouds/registry.ts';
import { SessionStore } from '../adapters/clouds/session.ts';
import { createApp } from '../api/app.ts';
import type { ApiDeps } from '../api/deps.ts';
import { askRedis } from '../db/lock.ts';
import type { CredentialForm } from '../domain/plants/credential-form.ts';
import type { Brand } from '../domain/plants/plant.ts';
import {
  CommandError,
  type Config,
  exitCodes,
  requireJwtKey,
  requireMasterKeys,
  requireMockMode,
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
/** Time limits for receiving headers and body; no legitimate request is slower. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 20_000;
/** Longer than proxies in front keep idle connections; otherwise a proxy could send into a connection that just closed. */
const keepAliveTimeoutMs = 75_000;
/** Time limit of a vendor's login, ms. */
const connectionTestMs = 20_000;

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
  const db = await connectDatabase(config, {
    onError: (error) =>
      log.warn({ code: (error as { code?: string }).code }, 'a database connection was lost'),
  });
  let deps: ApiDeps | null = null;
  try {
    await checkMasterKeys(db, config);
    deps = { ...outerWorld(config), db, log, jwtKey };
    const { server, url } = await listen(config, createApp(deps));
    log.info({ url }, 'API listens');
    return {
      url,
      async stop() {
        await closeServer(server);
        await Promise.allSettled([db.destroy(), deps?.temporal.connection.close()]);
      },
    };
  } catch (error) {
    await Promise.allSettled([db.destroy(), deps?.temporal.connection.close()]);
    throw error;
  }
}

/** The API's dependencies other than the database. */
export function outerWorld(config: Config): Omit<ApiDeps, 'db' | 'log' | 'jwtKey'> {
  const redisUrl = config.REDIS_URL;
  const brands = Object.entries(registry) as [Brand, (typeof registry)[Brand]][];
  return {
    temporal: openTemporal(config),
    askRedis: redisUrl === undefined ? null : () => askRedis(redisUrl),
    readDisks: diskReader(config.WATCHED_FOLDERS),
    seal: (accountId, credentials) =>
      sealCredentials(requireMasterKeys(config), accountId, credentials),
    credentialForms: Object.fromEntries(
      brands.map(([brand, { definition }]): [Brand, CredentialForm] => [brand, definition]),
    ) as ApiDeps['credentialForms'],
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
    pollIntervalS: config.POLL_INTERVAL_SECONDS,
    statusProfile: config.DEFAULT_STATUS_PROFILE,
    version: productVersion(),
  };
}

type Server = ReturnType<typeof createAdaptorServer>;

async function listen(
  config: Config,
  app: ReturnType<typeof createApp>,
): Promise<{ server: Server; url: string }> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
    },
  });
  const host = config.API_HOST;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new CommandError(
          `the API cannot listen on ${host}:${config.API_PORT} (${cause.code ?? 'unknown error'}): set API_PORT, or 0 for a free port`,
          exitCodes.serviceAway,
          { cause },
        ),
      );
    });
    server.listen(config.API_PORT, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` };
}

/** Accepts no new requests, waits for running ones up to the limit, then closes their connections. */
async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      if ('closeAllConnections' in server) server.closeAllConnections();
    }, stopMsMax);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  });
}
