import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isRoot } from './account.ts';
import { cacheFolder } from './cache.ts';
import { PortBook } from './ports.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { processIdentity } from './process.ts';

const timeout = 30_000;
const started: Postgres[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ server }) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'heliograph-pg-')));
  folders.push(folder);
  return folder;
}

/** Shared by the tests that leave nothing behind: making one takes the longest. */
let shared = '';
beforeAll(() => {
  shared = realpathSync(mkdtempSync(join(tmpdir(), 'heliograph-pg-')));
});
afterAll(() => {
  rmSync(shared, { recursive: true });
});

async function start(dataDir: string): Promise<Postgres & { lines: string[] }> {
  const lines: string[] = [];
  const postgres = await startPostgres({
    dataDir,
    cacheDir: cacheFolder(process.env),
    ephemeral: true,
    ports: new PortBook(join(dataDir, 'ports.json'), dataDir),
    log: (line) => lines.push(line),
  });
  started.push(postgres);
  return { ...postgres, lines };
}

async function query({ url }: Postgres, sql: string): Promise<unknown[]> {
  const client = new Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test(
  'sorts and cases alike everywhere, in UTC, and listens on 127.0.0.1 only',
  { timeout },
  async () => {
    const postgres = await start(shared);
    const sql = `SELECT current_setting('listen_addresses') AS a, current_setting('TimeZone') AS z, lower('ÄÉ') AS l, 'a' < 'B' AS o`;
    expect(await query(postgres, sql)).toEqual([{ a: '127.0.0.1', z: 'UTC', l: 'äé', o: false }]);
    expect(postgres.lines).toEqual([]);
  },
);

test('starts at once again after SIGKILL in the middle of a query', { timeout }, async () => {
  const postgres = await start(shared);
  await query(postgres, 'CREATE TABLE acknowledged (n int)');
  const busy = query(
    postgres,
    'INSERT INTO acknowledged SELECT count(*) FROM generate_series(1, 1000000000)',
  );
  busy.catch(() => {});
  await query(postgres, `INSERT INTO acknowledged VALUES (1)`);
  await postgres.server.stop('SIGKILL');
  await postgres.server.start();
  await expect(busy).rejects.toThrow();
  expect(await query(postgres, 'SELECT n FROM acknowledged')).toEqual([{ n: 1 }]);
});

test(
  'makes a new password when its file is lost, and starts afresh where it was cut off',
  { timeout },
  async () => {
    const dataDir = shared;
    const first = await start(dataDir);
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS n');
    await first.server.stop();
    rmSync(join(dataDir, 'postgres.password'));
    mkdirSync(join(dataDir, 'postgres', 'data.new'));
    const second = await start(dataDir);
    expect(second.url).not.toBe(first.url);
    expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
    await second.server.stop();
    rmSync(join(dataDir, 'postgres', 'data'), { recursive: true });
    const third = await start(dataDir);
    expect(existsSync(join(dataDir, 'postgres', 'data.new'))).toBe(false);
    expect(await query(third, `SELECT to_regclass('kept') AS kept`)).toEqual([{ kept: null }]);
  },
);

test('a server that nobody wrote down is found on its files and ended', { timeout }, async () => {
  const dataDir = shared;
  const orphan = await start(dataDir);
  rmSync(join(dataDir, 'postgres.pid'));
  const postgres = await start(dataDir);
  expect(processIdentity(orphan.server.pid)).toBeNull();
  expect(postgres.url).toBe(orphan.url);
});

test(
  'a process that has got the number of an earlier PostgreSQL is left alone and hinders nobody',
  { timeout },
  async () => {
    const dataDir = shared;
    const first = await start(dataDir);
    const lockFile = join(dataDir, 'postgres', 'data', 'postmaster.pid');
    const lock = readFileSync(lockFile, 'utf8');
    await first.server.stop('SIGKILL');
    // Owned by the user who runs PostgreSQL: it takes only such processes for itself.
    const { uid, gid } = statSync(lockFile);
    const other = spawn('sleep', ['60'], { stdio: 'ignore', ...(isRoot() ? { uid, gid } : {}) });
    await once(other, 'spawn');
    writeFileSync(lockFile, lock.replace(/^\d+/, String(other.pid)));
    await start(dataDir);
    expect(other.exitCode).toBeNull();
    expect(processIdentity(other.pid ?? 0)).not.toBeNull();
    other.kill();
  },
);

test.runIf(isRoot())(
  "for root, its files lie in the data folder, which the database's user may not enter",
  { timeout },
  async () => {
    // mkdtemp makes it for its owner alone, as root's home is.
    const dataDir = join(newFolder(), 'data');
    mkdirSync(dataDir, { mode: 0o700 });
    const first = await start(dataDir);
    const files = join(dataDir, 'postgres', 'data');
    expect(realpathSync(files)).toBe(files);
    expect(statSync(files).uid).not.toBe(0);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(first.lines).toEqual([]);
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS n');
    // It reads its configuration again, from where it works now.
    await query(first, "ALTER SYSTEM SET work_mem = '5MB'");
    await query(first, 'SELECT pg_reload_conf()');
    const workMem = () => query(first, "SELECT current_setting('work_mem') AS m");
    await expect.poll(workMem, { timeout: 5_000 }).toEqual([{ m: '5MB' }]);
    await first.server.stop();
    const second = await start(dataDir);
    expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  },
);
