import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { claimDataDir, tryLock, waitForLock } from './lock.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-lock-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

test('a lock has one holder, also within one process', async () => {
  const file = join(newFolder(), 'lock.db');
  const first = tryLock(file);
  expect(first).not.toBeNull();
  expect(tryLock(file)).toBeNull();
  let waits = 0;
  const second = waitForLock(file, { onWait: () => (waits += 1) });
  first?.release();
  first?.release();
  (await second).release();
  expect(waits).toBe(1);
});

test('the lock of a killed process is free, and until then its holder is named', async () => {
  const dataDir = newFolder();
  const script = `
    const { claimDataDir } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))});
    claimDataDir(${JSON.stringify(dataDir)});
    console.log('claimed');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(() => claimDataDir(dataDir)).toThrow(
    `${dataDir} is in use by another Heliograph (process ${child.pid})`,
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  claimDataDir(dataDir).release();
});

test('a folder that is not there is said', () => {
  expect(() => tryLock('/nonexistent/lock.db')).toThrow(
    'cannot open the lock /nonexistent/lock.db',
  );
});
