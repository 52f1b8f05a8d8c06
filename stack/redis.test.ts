import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { PortBook } from './ports.ts';
import { ask, startRedis, type Redis } from './redis.ts';

const started: Redis[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map(async ({ server }) => server?.stop()));
});

function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'heliograph-redis-')));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

async function start(
  more: { path?: string; sharedPort?: number; dataDir?: string } = {},
): Promise<Redis & { lines: string[] }> {
  const { dataDir = newFolder(), path = process.env['PATH'] } = more;
  const lines: string[] = [];
  const redis = await startRedis({
    ...more,
    dataDir,
    path,
    ports: new PortBook(join(dataDir, 'ports.json'), dataDir),
    log: (line) => lines.push(line),
  });
  started.push(redis);
  return { ...redis, lines };
}

const portOf = ({ url }: Redis): number => Number(new URL(url ?? 'redis://none').port);

test('a Redis of our own keeps nothing on disk and evicts nothing', async () => {
  const redis = await start();
  expect(redis).toMatchObject({ keyPrefix: '', lines: [] });
  expect(await ask(portOf(redis), 'CONFIG GET save')).toMatch(/\r\n\$0\r\n$/);
  expect(await ask(portOf(redis), 'CONFIG GET appendonly')).toContain('no');
  expect(await ask(portOf(redis), 'CONFIG GET maxmemory-policy')).toContain('noeviction');
});

test('without a program the one on this machine is used, below a prefix of the data folder', async () => {
  const shared = await start();
  const one = newFolder();
  const redis = await start({ path: '', sharedPort: portOf(shared), dataDir: one });
  expect(redis.url).toBe(shared.url);
  expect(redis.server).toBeNull();
  expect(redis.keyPrefix).toMatch(/^heliograph:[0-9a-f]{12}:$/);
  expect(redis.lines).toEqual([expect.stringContaining('using the one on 127.0.0.1:')]);
  const again = await start({ path: '', sharedPort: portOf(shared), dataDir: one });
  expect(again.keyPrefix).toBe(redis.keyPrefix);
  const other = await start({ path: '', sharedPort: portOf(shared) });
  expect(other.keyPrefix).not.toBe(redis.keyPrefix);
});

test('one that asks for a password is not used', async () => {
  const shared = await start();
  await ask(portOf(shared), 'CONFIG SET requirepass secret');
  const redis = await start({ path: '', sharedPort: portOf(shared) });
  expect(redis).toMatchObject({ url: null, keyPrefix: '', server: null });
});

test('that there is none is said loudly', async () => {
  const sharedPort = await new PortBook(join(newFolder(), 'ports.json'), 'nobody').claim('redis');
  const redis = await start({ path: '', sharedPort });
  expect(redis).toMatchObject({ url: null, server: null });
  expect(redis.lines).toEqual([expect.stringContaining('Redis: NONE.')]);
});
