import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { evenTemper } from '../../../stack/gateways/behaviour.ts';
import { startControl } from '../../../stack/gateways/control.ts';
import { startFarm } from '../../../stack/gateways/farm.ts';
import { isPortFree } from '../../../stack/ports.ts';
import { stackFilePath } from '../../../environment/config.ts';
import { runTestCommand } from '../../../test/support/command-line.ts';

/** `demo break --gateway` reaches the farm of the stack in the data folder. */

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

let nextPort = 28_000 + (process.pid % 2_000);
async function freePort(): Promise<number> {
  do nextPort += 1;
  while (!(await isPortFree(nextPort)));
  return nextPort;
}

/** A farm of one gateway, and a data folder whose stack has it. */
async function running(controlUrl?: string) {
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-break-'));
  ends.push(() => rmSync(dataDir, { recursive: true }));
  const gateway = {
    id: 'mill-logger',
    host: '127.0.0.1',
    port: await freePort(),
    devices: new Map(),
    temper: evenTemper,
  };
  const farm = await startFarm({ gateways: [gateway], listen: 'EACH' });
  ends.push(() => farm.close());
  const control = await startControl(farm, 0);
  ends.push(() => control.close());
  const file = {
    temporal_address: '127.0.0.1:1',
    temporal_ui: null,
    database_url: 'postgres://127.0.0.1:1/none',
    redis_url: null,
    pid: process.pid,
    master_key_file: join(dataDir, 'master.key'),
    gateway_control_url: controlUrl ?? control.url,
  };
  writeFileSync(stackFilePath(dataDir), JSON.stringify(file));
  const run = (...args: string[]) => runTestCommand(['demo', 'break', ...args, '--data', dataDir]);
  return { run, behaviour: () => farm.figures()[0]?.behaviour };
}

describe('demo break --gateway', () => {
  test('makes a simulated gateway silent, or what is named, and --off ends it', async () => {
    const { run, behaviour } = await running();
    const { code, stdout } = await run('--gateway', 'mill-logger', '--for', '2m');
    expect({ code, behaviour: behaviour() }).toEqual({ code: 0, behaviour: 'SILENT' });
    expect(stdout).toMatch(/^mill-logger misbehaves \(silent\) until \d{4}-/);
    await run('--gateway', 'mill-logger', '--behaviour', 'wrong-unit');
    expect(behaviour()).toBe('WRONG_UNIT');
    const off = await run('--gateway', 'mill-logger', '--off');
    expect(off.stdout).toBe('mill-logger behaves as before\n');
    expect(behaviour()).toBe('GOOD');
  });

  test('says which gateway it does not know', async () => {
    const { run } = await running();
    const { code, stderr } = await run('--gateway', 'elsewhere');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('there is no simulated gateway elsewhere') as string,
    });
  });

  test('says so when the simulated gateways are gone', async () => {
    const { run } = await running('http://127.0.0.1:1');
    const { code, stderr } = await run('--gateway', 'mill-logger');
    expect(code).not.toBe(0);
    expect(stderr).toContain('the simulated gateways do not answer');
  });

  test.each([
    [['--gateway', 'mill-logger', '--brand', 'DELE']],
    [['--gateway', 'mill-logger', '--behaviour', 'rude']],
    [['--gateway', 'mill-logger', '--for', '2h']],
    [['--brand', 'DELE', '--behaviour', 'silent']],
  ])('%j is a wrong call', async (args) => {
    const { run } = await running();
    expect((await run(...args)).code).toBe(2);
  });
});
