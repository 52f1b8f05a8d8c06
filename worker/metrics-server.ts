import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';

import { isLoopbackHost } from '../domain/loopback-host.ts';
import { CommandError, exitCodes } from '../environment/config.ts';
import type { Log } from '../environment/log.ts';

/** `/metrics` and `/health` of a worker, on one address. Everybody who reaches the address can read both, so bind it to a private one. */

export interface MetricsServer {
  url: string;
  close(): Promise<void>;
}

/** A request that takes longer to arrive is ended; looked at every second, ms. */
const timeLimits = {
  headersTimeout: 7_000,
  requestTimeout: 9_000,
  connectionsCheckingInterval: 1_000,
};
/** Time limit for the SDK's text, which comes from memory. */
const sdkTimeoutMs = 2_000;

export interface MetricsOptions {
  /** host:port. */
  address: string;
  contentType: string;
  own: () => Promise<string>;
  /** host:port at which the SDK serves its metrics; null: only Heliograph's. */
  sdkAddress: string | null;
  isHealthy: () => boolean;
  log: Log;
}

/**
 * Serves `/metrics` (Heliograph's, then those of Temporal's SDK) and `/health` (200 while every queue is served, else 503).
 *
 * @throws CommandError 78 when the address cannot be bound.
 */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const server = createServer(timeLimits, (request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      options.log.error(
        { errorName: error instanceof Error ? error.name : typeof error },
        'metrics could not be served',
      );
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const { host, port } = addressOf(options.address);
  try {
    await once(server.listen(port, host), 'listening');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(
      `METRICS_ADDRESS ${options.address} cannot be served (${code}): is it taken, or not an address of this machine?`,
      exitCodes.configuration,
      { cause },
    );
  }
  // The server does not keep the process alive.
  server.unref();
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((settle) => {
        server.close(() => settle());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { url, method, headers }: IncomingMessage,
  response: ServerResponse,
  options: MetricsOptions,
): Promise<void> {
  // Bound to this machine, it answers this machine's names only: a foreign site may lead a browser here (DNS rebinding).
  if (isLoopbackHost(options.address) && !isLoopbackHost(headers.host)) {
    response.writeHead(403).end();
    return;
  }
  const path = url?.split('?')[0];
  if (method !== 'GET' || (path !== '/metrics' && path !== '/health')) {
    response.writeHead(method === 'GET' ? 404 : 405).end();
    return;
  }
  if (path === '/health') {
    const healthy = options.isHealthy();
    response
      .writeHead(healthy ? 200 : 503, { 'content-type': 'application/json' })
      .end(`${JSON.stringify({ status: healthy ? 'ok' : 'down' })}\n`);
    return;
  }
  const [own, sdk] = await Promise.all([
    options.own(),
    options.sdkAddress === null ? null : readSdk(options.sdkAddress),
  ]);
  response.writeHead(200, { 'content-type': options.contentType });
  response.end([own, ...(sdk === null ? [] : [sdk])].map(ended).join(''));
}

/** Null if the SDK does not answer: Heliograph's metrics are served anyway, without the SDK's. */
async function readSdk(address: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${address}/metrics`, {
      signal: AbortSignal.timeout(sdkTimeoutMs),
    });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

/** host:port, as the configuration's schema has checked it. */
function addressOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return {
    host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
    port: Number(address.slice(colon + 1)),
  };
}

/** A free address of this machine for the SDK, which needs a fixed port and cannot report one that it chose. */
export async function freeLoopbackAddress(): Promise<string> {
  const probe = createNetServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return `127.0.0.1:${port}`;
}
