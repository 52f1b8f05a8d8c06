import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findOnPath, processIdentity } from './process.ts';
import { bringUpStack, StackError, type Stack, type StackOptions } from './up.ts';

const timeout = 30_000;
const stacks: Stack[] = [];
const folders: string[] = [];
const held: Held[] = [];
afterEach(async () => {
  for (const { process: parent } of held.splice(0)) parent.kill('SIGKILL');
  await Promise.all(stacks.splice(0).map((stack) => stack.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'heliograph-recovery-')));
  folders.push(folder);
  return folder;
}

const lines: string[] = [];
const forTests = { log: (line: string) => lines.push(line), ephemeral: true, temporalUi: false };

async function bringUp(options: Partial<StackOptions> & { dataDir: string }): Promise<Stack> {
  const stack = await bringUpStack({ ...forTests, ...options });
  stacks.push(stack);
  return stack;
}

interface Held {
  process: ChildProcess;
  pids: number[];
  addresses: unknown[];
}

const addressesOf = (stack: Stack): unknown[] => [
  stack.databaseUrl,
  stack.redisUrl,
  stack.temporalAddress,
];

/** A process that brings a stack up and keeps it until it is killed, with nothing but the named programs on its PATH. */
async function bringUpElsewhere(dataDir: string, programs: string[]): Promise<Held> {
  const path = newFolder();
  chmodSync(path, 0o755);
  for (const name of programs) {
    const file = findOnPath(name, process.env['PATH']);
    if (file === null) throw new Error(`this test needs ${name} on the PATH`);
    symlinkSync(file, join(path, name));
  }
  const script = `
    const { bringUpStack } = await import(${JSON.stringify(import.meta.resolve('./up.ts'))});
    const dataDir = ${JSON.stringify(dataDir)};
    const stack = await bringUpStack({ dataDir, log() {}, ephemeral: true, temporalUi: false });
    const pids = [stack.postgres.pid, stack.redis.pid, stack.temporal.pid];
    const addresses = [stack.databaseUrl, stack.redisUrl, stack.temporalAddress];
    console.log(JSON.stringify({ pids, addresses }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  for await (const chunk of child.stdout) {
    const told = { process: child, ...(JSON.parse(String(chunk)) as Omit<Held, 'process'>) };
    held.push(told);
    return told;
  }
  throw new Error('the process that should bring a stack up has ended');
}

/** The folder is free and nothing of it runs any more. */
async function expectLeftAlone(dataDir: string): Promise<void> {
  const listed = spawnSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).stdout.split('\n');
  expect(listed.filter((line) => line.includes(dataDir))).toEqual([]);
  const given = { DATABASE_URL: 'x', REDIS_URL: 'x', TEMPORAL_ADDRESS: 'x' };
  await bringUp({ dataDir, env: given });
}

const isAlive = (pid: number): boolean => processIdentity(pid) !== null;

test(
  'servers that outlived their parent are ended, and their ports used again',
  { timeout },
  async () => {
    const dataDir = newFolder();
    // Without setpriv the kernel does not end them.
    const other = await bringUpElsewhere(dataDir, ['redis-server', 'id']);
    other.process.kill('SIGKILL');
    await once(other.process, 'exit');
    expect(other.pids.filter(isAlive)).toEqual(other.pids);
    const stack = await bringUp({ dataDir });
    expect(addressesOf(stack)).toEqual(other.addresses);
    expect(other.pids.filter(isAlive)).toEqual([]);
  },
);

test.runIf(process.platform === 'linux')(
  'on Linux they do not even outlive it',
  { timeout },
  async () => {
    const other = await bringUpElsewhere(newFolder(), ['redis-server', 'id', 'setpriv']);
    other.process.kill('SIGKILL');
    await once(other.process, 'exit');
    await expect.poll(() => other.pids.filter(isAlive), { timeout: 8_000 }).toEqual([]);
  },
);

test('a failure leaves no process and gives the folder back', { timeout }, async () => {
  const [path, dataDir] = [newFolder(), newFolder()];
  const said = 'temporal version 1.9.0 (Server 1.32.1, UI 2.50.1)';
  const script = `#!/bin/sh\n[ "$1" = --version ] && echo '${said}' && exit\necho 'no such luck'; exit 1\n`;
  writeFileSync(join(path, 'temporal'), script);
  chmodSync(join(path, 'temporal'), 0o755);
  const env = { PATH: `${path}:${process.env['PATH']}`, XDG_CACHE_HOME: path };
  const failure = await bringUp({ dataDir, env }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(StackError);
  expect(String(failure)).toMatch(
    /Temporal ended while it was starting; .*temporal\.log:\nno such luck/,
  );
  await expectLeftAlone(dataDir);
});

test('who gives up while it starts gets the folder back as well', { timeout }, async () => {
  const dataDir = newFolder();
  const signal = AbortSignal.timeout(400);
  await expect(bringUp({ dataDir, signal })).rejects.toThrow(
    'stopped while the servers were starting.',
  );
  await expectLeftAlone(dataDir);
});

test('a Redis that does not start is said, and polls go on without it', { timeout }, async () => {
  const path = newFolder();
  writeFileSync(join(path, 'redis-server'), '#!/bin/sh\necho "bad build"; exit 1\n');
  chmodSync(join(path, 'redis-server'), 0o755);
  const env = { PATH: `${path}:${process.env['PATH']}`, DATABASE_URL: 'x', TEMPORAL_ADDRESS: 'x' };
  lines.length = 0;
  await bringUp({ dataDir: newFolder(), env });
  expect(lines[0]).toMatch(/^Redis: .*redis-server does not start\. .*bad build/s);
});
