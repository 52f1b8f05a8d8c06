import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Keeper, keepRunning } from './keep.ts';
import { processIdentity } from './process.ts';
import { ServerProcess } from './server.ts';

const forever = 'setInterval(() => {}, 1000);';

/** A server that is a line of JavaScript, kept running. It serves once it has written "ready". */
async function kept(script: string): Promise<Kept> {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-keep-'));
  const logFile = join(folder, 'log');
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const server = new ServerProcess({
    name: 'Thing',
    command: process.execPath,
    args: ['-e', script],
    cwd: folder,
    account: null,
    logFile,
    pidFile: join(folder, 'pid'),
    ending: [{ signal: 'SIGKILL', patienceMs: 2_000 }],
    isReady: (pid) => Promise.resolve(readFileSync(logFile, 'utf8').includes(`ready ${pid}`)),
    log,
  });
  await server.start();
  const keeper = keepRunning([server], log);
  onTestFinished(async () => {
    await keeper.stop();
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  return { server, keeper, lines, folder };
}

interface Kept {
  server: ServerProcess;
  keeper: Keeper;
  lines: string[];
  folder: string;
}

const serving = `console.log('ready', process.pid); ${forever}`;

test('a server that was killed serves again, and the lines say so', async () => {
  const { server, keeper, lines } = await kept(serving);
  const { pid } = server;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => lines).toHaveLength(3);
  expect(lines[2]).toBe(`Thing serves again (process ${server.pid})`);
  expect(server.pid).not.toBe(pid);
  expect(processIdentity(server.pid)).not.toBeNull();
  expect(lines[0]).toContain(`Thing (process ${pid}) has ended by itself (SIGKILL)`);
  expect(lines[1]).toBe('Thing is started again');
  await keeper.untilWhole();
  expect(keeper.broken.aborted).toBe(false);
});

test('one that was stopped stays so', async () => {
  const { server, keeper, lines } = await kept(serving);
  await server.stop();
  await keeper.untilWhole();
  expect(lines).toEqual([]);
  expect(processIdentity(server.pid)).toBeNull();
});

test('one that ends too often is given up', { timeout: 30_000 }, async () => {
  const { server, keeper, lines, folder } = await kept(
    `if (require('node:fs').existsSync('broken')) process.exit(1); ${serving}`,
  );
  writeFileSync(join(folder, 'broken'), '');
  process.kill(server.pid, 'SIGKILL');
  await expect.poll(() => keeper.broken.aborted, { timeout: 20_000 }).toBe(true);
  expect(String(keeper.broken.reason)).toContain('Thing has ended 5 times within a minute: see ');
  expect(lines.filter((line) => line.startsWith('Thing does not start: '))).toHaveLength(4);
});

test('a stop in the middle of a new start leaves no process', async () => {
  const { server, keeper, folder } = await kept(
    `if (require('node:fs').existsSync('slow')) { ${forever} } else { ${serving} }`,
  );
  writeFileSync(join(folder, 'slow'), '');
  const { pid } = server;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => server.pid !== pid && existsSync(join(folder, 'pid'))).toBe(true);
  await keeper.stop();
  expect(processIdentity(server.pid)).toBeNull();
  expect(keeper.broken.aborted).toBe(false);
});
