import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isPortFree, loopback, PortBook } from './ports.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-ports-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const file = (): string => join(newFolder(), 'ports.json');

async function occupy(port: number, host: string): Promise<() => void> {
  const server = createServer().listen({ port, host });
  await once(server, 'listening');
  return () => server.close();
}

test('ports are free, different and below the range of outgoing connections', async () => {
  const book = new PortBook(file(), 'a');
  const ports = await Promise.all(
    (['postgres', 'redis', 'temporal', 'temporalUi'] as const).map((name) => book.claim(name)),
  );
  expect(new Set(ports).size).toBe(4);
  for (const port of ports) {
    expect(port).toBeLessThan(32_768);
    expect(await isPortFree(port)).toBe(true);
  }
});

test('a port is remembered, and left to whoever has taken it meanwhile', async () => {
  const book = file();
  const first = await new PortBook(book, 'a').claim('redis');
  expect(await new PortBook(book, 'b').claim('redis')).toBe(first);
  const leave = await occupy(first, loopback);
  const second = await new PortBook(book, 'a').claim('redis');
  leave();
  expect(second).not.toBe(first);
  expect(await new PortBook(book, 'a').claim('redis')).toBe(second);
});

test('a port that somebody has on all addresses is not free', async () => {
  const port = await new PortBook(file(), 'all').claim('redis');
  const leave = await occupy(port, '0.0.0.0');
  expect(await isPortFree(port)).toBe(false);
  leave();
});

test('an unreadable book is an empty one', async () => {
  const book = file();
  writeFileSync(book, '{"redis": "no", ');
  expect(await new PortBook(book, 'a').claim('redis')).toBeGreaterThan(0);
});
