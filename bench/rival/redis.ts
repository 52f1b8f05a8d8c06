import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { findOnPath } from '../../stack/process.ts';

/** Starts a Redis for one row, which may be killed and started again on its port and folder. */
export interface BenchRedis {
  url: string;
  pid(): number;
  kill(): Promise<void>;
  start(): Promise<void>;
  flushAll(): Promise<void>;
  version(): Promise<string>;
}

const readyMsMax = 10_000;

/** @param isDurable append-only file, synced every second, as BullMQ's documentation advises; else memory only. */
export async function startBenchRedis(dir: string, isDurable: boolean): Promise<BenchRedis> {
  const program = ['redis-server', 'valkey-server']
    .map((name) => findOnPath(name, process.env['PATH']))
    .find((path) => path !== null);
  if (program == null) throw new Error('redis-server is missing: apt install redis-server');
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: isDurable ? 'yes' : 'no',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const child = spawn(program as string, args, { stdio: 'ignore' });
    server = child;
    const endWithUs = () => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    await answers(url);
  }
  async function kill(): Promise<void> {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  }
  await start();
  return {
    url,
    pid: () => server?.pid ?? 0,
    kill,
    start,
    flushAll: () => withClient(url, async (client) => void (await client.flushall())),
    version: () =>
      withClient(
        url,
        async (client) => /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown',
      ),
  };
}

async function withClient<Result>(
  url: string,
  run: (client: Redis) => Promise<Result>,
): Promise<Result> {
  const client = new Redis(url);
  try {
    return await run(client);
  } finally {
    client.disconnect();
  }
}

async function answers(url: string): Promise<void> {
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  client.on('error', () => {});
  const limit = new AbortController();
  try {
    await Promise.race([
      client.ping(),
      delay(readyMsMax, undefined, { signal: limit.signal }).then(() => {
        throw new Error(`Redis does not answer within ${readyMsMax / 1_000} s`);
      }),
    ]);
  } finally {
    limit.abort();
    client.disconnect();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
