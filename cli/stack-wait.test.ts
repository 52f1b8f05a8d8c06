import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { createTestIo, runTestCommand } from '../test/support/command-line.ts';
import { runCommandLine } from './main.ts';
import { waitForStack } from './stack-wait.ts';

/** A data folder. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-starting-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function writeStack(folder: string, stack: { state?: string; pid?: number }): void {
  const file = {
    temporal_address: '127.0.0.1:9',
    temporal_ui: null,
    database_url: 'postgres://127.0.0.1:9/stack',
    redis_url: null,
    master_key_file: '/none',
    pid: process.pid,
    ...stack,
  };
  writeFileSync(join(folder, 'stack.json'), JSON.stringify(file));
}

/** Waits in a data folder. @returns how long, ms, and what was said. */
async function wait(folder: string, env: NodeJS.ProcessEnv = {}, limitMs = 5_000) {
  const { io, stderr } = createTestIo({ env });
  const beganMs = performance.now();
  await waitForStack(io, folder, limitMs);
  return { waitedMs: performance.now() - beganMs, said: stderr.text };
}

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('a command on an embedded stack', () => {
  test('waits until the stack is ready, and says so once', async () => {
    const folder = newFolder();
    writeStack(folder, { state: 'starting' });
    setTimeout(() => writeStack(folder, { state: 'ready' }), 500);
    const { waitedMs, said } = await wait(folder);
    expect(waitedMs).toBeGreaterThan(450);
    expect(said).toBe(
      `heliograph: the stack in ${folder} is starting; waiting up to 5 s for its worker\n`,
    );
  });

  test('waits also before the start has written anything but its claim', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'owner.pid'), `${process.pid}\n`);
    setTimeout(() => writeStack(folder, { state: 'ready' }), 300);
    expect((await wait(folder)).said).toContain('is starting');
    // The file of a start that was killed, and the claim of the next.
    writeStack(folder, { state: 'ready', pid: await deadPid() });
    setTimeout(() => writeStack(folder, { state: 'ready' }), 300);
    expect((await wait(folder)).said).toContain('is starting');
  });

  test('gives up with 69', async () => {
    const folder = newFolder();
    writeStack(folder, { state: 'starting' });
    await expect(wait(folder, {}, 300)).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringContaining('is still starting: try again when'),
    });
  });

  test('does not wait for one that is ready, was killed, or does not exist', async () => {
    const folder = newFolder();
    expect((await wait(folder)).said).toBe('');
    writeStack(folder, {});
    expect((await wait(folder)).said).toBe('');
    writeStack(folder, { state: 'starting', pid: await deadPid() });
    expect((await wait(folder)).said).toBe('');
  });

  test('does not wait for one whose database it does not use', async () => {
    const folder = newFolder();
    writeStack(folder, { state: 'starting' });
    expect((await wait(folder, { DATABASE_URL: 'postgres://other/db' })).said).toBe('');
  });

  test('is every command but those that start it or need none', async () => {
    const folder = newFolder();
    writeStack(folder, { state: 'starting' });
    const { io, stderr } = createTestIo();
    const listed = runCommandLine(['plants', 'list', '--data', folder], io);
    await expect
      .poll(() => stderr.text, { timeout: 20_000 })
      .toMatch(/is starting; waiting up to 20 s/);
    rmSync(join(folder, 'stack.json'));
    expect(await listed).toBe(78);
    expect(stderr.text).toContain('DATABASE_URL is not set');
    writeStack(folder, { state: 'starting' });
    const migrated = await runTestCommand(['migrate', '--data', folder]);
    expect(migrated.stderr).not.toContain('starting');
  });
});
