import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  bringUpStack,
  checkPrerequisites,
  StackError,
  type ManagedServer,
  type Stack,
} from './up.ts';

const startLimitMs = 30_000;
const stopLimitMs = 8_000;

const folders: string[] = [];
const stacks: Stack[] = [];

afterEach(async () => {
  await Promise.all(stacks.splice(0).map((stack) => stack.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-stack-'));
  folders.push(folder);
  return folder;
}

const forTests = { log: () => {}, ephemeral: true, temporalUi: false };

async function bringUp(dataDir: string): Promise<Stack> {
  const stack = await bringUpStack({ dataDir, ...forTests });
  stacks.push(stack);
  return stack;
}

type Row = Record<string, unknown>;

async function query({ databaseUrl }: { databaseUrl: string }, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

function temporal(stack: Stack, ...args: string[]): string {
  const asked = spawnSync(
    stack.temporalBinary ?? '',
    [...args, '--address', stack.temporalAddress, '--namespace', stack.temporalNamespace],
    { encoding: 'utf8' },
  );
  return `${asked.stdout}${asked.stderr}`;
}

/** Its run id. No worker runs, so it stays as it is. */
function startWorkflow(stack: Stack, workflowId: string): string | null {
  const what = ['--workflow-id', workflowId, '--type', 'idle', '--task-queue', 'none'];
  return runIdIn(temporal(stack, 'workflow', 'start', ...what));
}

/** The run id of a workflow; null when the server knows none of this name. */
function runningId(stack: Stack, workflowId: string): string | null {
  return runIdIn(temporal(stack, 'workflow', 'describe', '--workflow-id', workflowId));
}

function runIdIn(said: string): string | null {
  return /RunId\s+([0-9a-f-]{36})/.exec(said)?.[1] ?? null;
}

/** One inline command to the stack's Redis, and the answer as the protocol writes it. */
function askRedis(stack: Stack, command: string): Promise<string> {
  const { hostname, port } = new URL(stack.redisUrl ?? '');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.once('error', reject);
    socket.once('end', () => {
      resolve(answer);
    });
    socket.write(`${command}\r\nQUIT\r\n`);
  });
}

function portsOf(stack: Stack): number[] {
  const addresses = [stack.databaseUrl, stack.redisUrl ?? '', `http://${stack.temporalAddress}`];
  return addresses.map((each) => Number(new URL(each).port));
}

/** Listens on a port that was a server's until now. */
async function occupy(port: number): Promise<Server> {
  const squatter = createServer().listen(port, '127.0.0.1');
  await once(squatter, 'listening');
  return squatter;
}

function serversOf(stack: Stack): ManagedServer[] {
  return [stack.postgres, stack.redis, stack.temporal].filter((each) => each !== null);
}

function pidsOf(stack: Stack): number[] {
  return serversOf(stack).map((server) => server.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Also those of which the stack tells nothing, such as PostgreSQL's own children, which work in its folder. */
function processesMentioning(text: string): string[] {
  const listed = spawnSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  const lines = listed.stdout.split('\n').filter((line) => line.trim() !== '');
  return lines.filter((line) =>
    `${line} ${workingFolder(line.trim().split(' ')[0])}`.includes(text),
  );
}

function workingFolder(pid: string | undefined): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // Without /proc, another user's, or already gone.
    return '';
  }
}

describe('a running stack', { timeout: 2 * startLimitMs }, () => {
  let dataDir = '';
  let stack: Stack;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'heliograph-stack-'));
    stack = await bringUpStack({ dataDir, ...forTests });
  }, startLimitMs);

  afterAll(async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }, startLimitMs);

  test('serves all three on 127.0.0.1', async () => {
    expect(new URL(stack.databaseUrl).hostname).toBe('127.0.0.1');
    expect(new URL(stack.redisUrl ?? '').hostname).toBe('127.0.0.1');
    expect(stack.temporalAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await query(stack, 'SELECT current_database() AS name')).toEqual([
      { name: 'heliograph' },
    ]);
    expect(await askRedis(stack, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(startWorkflow(stack, 'one')).toBe(runningId(stack, 'one'));
  });

  test('lets nobody into the database without the password, which only its owner may read', async () => {
    const file = join(dataDir, 'postgres.password');
    expect(readFileSync(file, 'utf8').trim()).toBe(new URL(stack.databaseUrl).password);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const databaseUrl = stack.databaseUrl.replace(/:[^:@]+@/, ':wrong@');
    await expect(query({ databaseUrl }, 'SELECT 1')).rejects.toThrow(
      /password authentication failed/,
    );
  });

  test('is not harmed by a second one that asks for its data folder, which is refused', async () => {
    await expect(bringUp(dataDir)).rejects.toThrow(/in use by another Heliograph \(process \d+\)/);
    expect(await query(stack, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('shares nothing with one of another folder', async () => {
    const other = await bringUp(newFolder());
    expect(new Set([...portsOf(stack), ...portsOf(other)]).size).toBe(6);
    startWorkflow(stack, 'only-here');
    expect(runningId(other, 'only-here')).toBeNull();
    await other.stop();
    expect(await query(stack, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('has killed servers back on their ports with what they had acknowledged', async () => {
    await query(stack, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const runId = startWorkflow(stack, 'kept');
    const before = pidsOf(stack);
    expect(before).toHaveLength(3);
    await Promise.all(serversOf(stack).map((server) => server.stop('SIGKILL')));
    expect(before.filter(isAlive)).toEqual([]);
    await Promise.all(serversOf(stack).map((server) => server.start()));
    expect(pidsOf(stack).filter((pid) => before.includes(pid))).toEqual([]);
    expect(await query(stack, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(await askRedis(stack, 'PING')).toContain('+PONG');
    expect(runningId(stack, 'kept')).toBe(runId);
  });
});

describe('a stack that was stopped', { timeout: 2 * startLimitMs }, () => {
  test('has left no process, and comes back at the same addresses with its data', async () => {
    const dataDir = newFolder();
    const first = await bringUp(dataDir);
    const pids = pidsOf(first);
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const runId = startWorkflow(first, 'kept');
    const before = performance.now();
    await Promise.all([first.stop(), first.stop()]);
    expect(performance.now() - before).toBeLessThan(stopLimitMs);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(processesMentioning(dataDir)).toEqual([]);
    const second = await bringUp(dataDir);
    expect(portsOf(second)).toEqual(portsOf(first));
    expect(second.databaseUrl).toBe(first.databaseUrl);
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(runningId(second, 'kept')).toBe(runId);
  });

  test('takes another port where somebody has taken its own', async () => {
    const dataDir = newFolder();
    const first = await bringUp(dataDir);
    await first.stop();
    const squatters = await Promise.all(portsOf(first).map(occupy));
    try {
      const second = await bringUp(dataDir);
      expect(portsOf(second).filter((port) => portsOf(first).includes(port))).toEqual([]);
      expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      for (const squatter of squatters) squatter.close();
    }
  });
});

describe('after kill -9 of the process that brought a stack up', () => {
  test('its folder comes up again with the data', { timeout: 2 * startLimitMs }, async () => {
    const dataDir = newFolder();
    const killed = await bringUpElsewhere(dataDir);
    await query(killed, 'CREATE TABLE kept AS SELECT 42 AS answer');
    killed.process.kill('SIGKILL');
    await once(killed.process, 'exit');
    const stack = await bringUp(dataDir);
    expect(stack.databaseUrl).toBe(killed.databaseUrl);
    expect(await query(stack, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(startWorkflow(stack, 'after')).not.toBeNull();
    await stack.stop();
    expect(processesMentioning(dataDir)).toEqual([]);
  });
});

/** Brings a stack up in a process of its own, which keeps it until it is killed. */
async function bringUpElsewhere(
  dataDir: string,
): Promise<{ process: ChildProcess; databaseUrl: string }> {
  const code = `
    import { bringUpStack } from ${JSON.stringify(new URL('up.ts', import.meta.url).href)};
    const stack = await bringUpStack({
      dataDir: ${JSON.stringify(dataDir)}, log() {}, ephemeral: true, temporalUi: false,
    });
    console.log(stack.databaseUrl);
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const chunk of child.stdout) {
    return { process: child, databaseUrl: String(chunk).trim() };
  }
  throw new Error('the process that should bring a stack up has ended');
}

describe('services given by the environment', () => {
  test('are used and neither started nor stopped', async () => {
    const env = {
      DATABASE_URL: 'postgresql://them@db.example/them',
      REDIS_URL: 'redis://cache.example',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'solar',
    };
    const stack = await bringUpStack({ dataDir: newFolder(), log: () => {}, env });
    stacks.push(stack);
    expect(stack).toMatchObject({
      databaseUrl: env.DATABASE_URL,
      redisUrl: env.REDIS_URL,
      redisKeyPrefix: '',
      temporalAddress: env.TEMPORAL_ADDRESS,
      temporalNamespace: 'solar',
      temporalUiUrl: null,
      postgres: null,
      redis: null,
      temporal: null,
    });
  });
});

describe('checkPrerequisites', () => {
  let empty = '';
  beforeAll(() => {
    empty = mkdtempSync(join(tmpdir(), 'heliograph-nothing-'));
  });
  afterAll(() => {
    rmSync(empty, { recursive: true });
  });

  const onlyPath = (folder: string): object => ({
    PATH: folder,
    XDG_CACHE_HOME: empty,
    TEMPORAL_DOWNLOAD: 'off',
  });

  test('names both ways to a Temporal server in one sentence when there is none', () => {
    expect(() => checkPrerequisites(onlyPath(empty))).toThrow(StackError);
    expect(() => checkPrerequisites(onlyPath(empty))).toThrow(
      /^[^\n]*install Go [^\n]*, or the Temporal CLI [^\n]*$/,
    );
  });

  test('is content with an address, or a download, instead', () => {
    checkPrerequisites({ ...onlyPath(empty), TEMPORAL_DOWNLOAD: 'https://mirror.example/cli' });
    checkPrerequisites({ ...onlyPath(empty), TEMPORAL_ADDRESS: 'temporal.example:7233' });
  });

  test.each([
    ['1.31.9', false],
    ['1.32.0', true],
    ['2.0.0', true],
  ])('a temporal on the PATH with server %s is new enough: %s', (version, enough) => {
    const folder = join(empty, version);
    mkdirSync(folder);
    const said = `temporal version 1.9.0 (Server ${version}, UI 2.50.1)`;
    writeFileSync(join(folder, 'temporal'), `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
    const check = (): void => {
      checkPrerequisites(onlyPath(folder));
    };
    if (enough) check();
    else expect(check).toThrow(/1\.31\.9/);
  });
});
