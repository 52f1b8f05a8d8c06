import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { becomes, processIdentity, type EndingStep } from './process.ts';
import { endOrphan, ServerProcess, ServerStartError, type ServerSpec } from './server.ts';

const ending: readonly EndingStep[] = [
  { signal: 'SIGTERM', patienceMs: 300 },
  { signal: 'SIGKILL', patienceMs: 2_000 },
];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-server-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** A server that is a line of JavaScript, and serves once it has written "ready". */
function specOf(script: string, lines: string[] = []): ServerSpec {
  const folder = newFolder();
  const logFile = join(folder, 'log');
  return {
    name: 'Thing',
    command: process.execPath,
    args: ['-e', script],
    cwd: folder,
    account: null,
    logFile,
    pidFile: join(folder, 'pid'),
    ending,
    isReady: () => Promise.resolve(readFileSync(logFile, 'utf8').includes('ready')),
    log: (line) => lines.push(line),
  };
}

const forever = 'setInterval(() => {}, 1000);';
const stubborn = `process.on('SIGTERM', () => {}); ${forever} console.log('ready');`;

test('a server that does not listen to SIGTERM is killed; stopping again does nothing', async () => {
  const server = new ServerProcess(specOf(stubborn));
  await server.start();
  expect(processIdentity(server.pid)).not.toBeNull();
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  expect(processIdentity(server.pid)).toBeNull();
});

test('a server that someone has paused ends all the same', async () => {
  const server = new ServerProcess(specOf(`${forever} console.log('ready');`));
  await server.start();
  process.kill(server.pid, 'SIGSTOP');
  const beganMs = performance.now();
  await server.stop();
  expect(performance.now() - beganMs).toBeLessThan(300);
});

test('a server that ends while starting is reported with the end of its log', async () => {
  const server = new ServerProcess(specOf(`console.error('no room'); process.exit(1);`));
  const failure = await server.start().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ServerStartError);
  expect(String(failure)).toMatch(/Thing ended while it was starting; .*:\nno room/s);
});

test('a passing trouble is waited for', async () => {
  const spec = specOf(`
    const fs = require('node:fs');
    if (fs.existsSync('tried')) { console.log('ready'); ${forever} }
    else { fs.writeFileSync('tried', ''); console.log('still in use'); process.exit(1); }`);
  let cleared = 0;
  const passingTrouble = { message: /still in use/, clear: () => (cleared += 1) };
  const server = new ServerProcess({ ...spec, passingTrouble });
  await server.start();
  expect(cleared).toBe(1);
  await server.stop();
});

test('a start that is given up leaves no process', async () => {
  const server = new ServerProcess(specOf(forever));
  const giveUp = new AbortController();
  const starting = server.start(giveUp.signal);
  await expect.poll(() => server.pid).toBeGreaterThan(0);
  giveUp.abort();
  await expect(starting).rejects.toThrow('aborted');
  expect(processIdentity(server.pid)).toBeNull();
});

test('an end that nobody asked for is said, one that was asked for is not', async () => {
  const lines: string[] = [];
  const server = new ServerProcess(specOf(`${forever} console.log('ready');`, lines));
  await server.start();
  process.kill(server.pid, 'SIGKILL');
  await expect.poll(() => lines).toHaveLength(1);
  expect(lines[0]).toContain(`Thing (process ${server.pid}) has ended by itself (SIGKILL)`);
  await server.start();
  await server.stop('SIGKILL');
  expect(lines).toHaveLength(1);
});

test('an orphan is ended, another process that has got its number is not', async () => {
  const { pidFile } = specOf('');
  const orphan = spawn(process.execPath, ['-e', forever], { stdio: 'ignore' });
  await once(orphan, 'spawn');
  const pid = orphan.pid ?? 0;
  writeFileSync(pidFile, JSON.stringify({ pid, identity: 'of an earlier process' }));
  await endOrphan('Thing', pidFile, ending);
  expect(processIdentity(pid)).not.toBeNull();
  expect(existsSync(pidFile)).toBe(false);
  writeFileSync(pidFile, JSON.stringify({ pid, identity: processIdentity(pid) }));
  await endOrphan('Thing', pidFile, ending);
  expect(await becomes(() => processIdentity(pid) === null, 1_000)).toBe(true);
});
