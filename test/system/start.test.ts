import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { Kysely } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openDatabase } from '../../db/database.ts';
import type { Database } from '../../db/tables.ts';
import { processIdentity } from '../../stack/process.ts';

/** `npm start` in a process of its own: how it ends, goes on, and stands the death of its servers. */

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const lineMsMax = 120_000;
/** After Ctrl-C everything has ended within this time. */
const stopMsMax = 5_000;
const intervalS = 10;

interface Started {
  process: ChildProcess;
  lines: string[];
  /** Resolves with the first line that has this text. */
  said(text: string): Promise<string>;
  /** Ctrl-C. @returns the time until the end, ms, and the exit code */
  interrupt(): Promise<{ tookMs: number; code: number | null }>;
}

function start(dataDir: string): Started {
  const args = [main, 'start', '--data', dataDir, '--interval', String(intervalS)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, API_PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on('line', (line) => void lines.push(line));
  return {
    process: child,
    lines,
    async said(text) {
      const find = () => lines.find((line) => line.includes(text));
      await expect.poll(find, { timeout: lineMsMax, interval: 50 }).toBeDefined();
      return find() ?? '';
    },
    async interrupt() {
      const beganMs = performance.now();
      child.kill('SIGINT');
      const [code] = await exited;
      return { tookMs: performance.now() - beganMs, code };
    },
  };
}

describe('npm start', () => {
  let dataDir = '';
  let running: Started;
  let db: Kysely<Database> | null = null;

  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'heliograph-start-'));
  });
  afterAll(async () => {
    running.process.kill('SIGKILL');
    await db?.destroy();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** The process of a server of the stack. */
  function pidOf(server: string): number {
    const known = readFileSync(join(dataDir, `${server}.pid`), 'utf8');
    return (JSON.parse(known) as { pid: number }).pid;
  }

  test('ends within 5 s of a Ctrl-C in the middle of the first seeding, and says so', async () => {
    running = start(dataDir);
    await running.said('  1 of 12');
    const servers = ['postgres', 'redis', 'temporal'].map(pidOf);
    const { tookMs, code } = await running.interrupt();
    expect(tookMs).toBeLessThan(stopMsMax);
    expect(code).toBe(0);
    const seeded = running.lines.findLastIndex((line) => line.includes(' of 12: '));
    expect(running.lines.slice(seeded + 1)).toEqual([
      'stopping what was started',
      'the demo is not complete: the next start finishes it',
    ]);
    expect(servers.map(processIdentity)).toEqual([null, null, null]);
  });

  test('finishes the seeding at the next start, in a folder for its user alone', async () => {
    running = start(dataDir);
    await running.said('an earlier seeding was cut off');
    await running.said('Heliograph polls.');
    const modeOf = (name: string) => statSync(join(dataDir, name)).mode & 0o077;
    expect(['.', ...readdirSync(dataDir)].filter((name) => modeOf(name) !== 0)).toEqual([]);
    const stack = JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8')) as {
      database_url: string;
    };
    const opened = openDatabase({ url: stack.database_url });
    db = opened;
    const intervals = await opened.selectFrom('plants').select('poll_interval_s').execute();
    expect(intervals).toEqual(Array.from({ length: 12 }, () => ({ poll_interval_s: intervalS })));
  });

  test.each([
    ['Temporal', 'temporal'],
    ['PostgreSQL', 'postgres'],
    ['Redis', 'redis'],
  ])('starts a %s again that was killed, and polls catch up', async (name, server) => {
    const pid = pidOf(server);
    process.kill(pid, 'SIGKILL');
    await running.said(`${name} (process ${pid}) has ended by itself (SIGKILL)`);
    await running.said(`${name} is started again`);
    await running.said(`${name} serves again`);
    expect(processIdentity(pidOf(server))).not.toBeNull();
    expect(pidOf(server)).not.toBe(pid);
    const backAt = new Date();
    await expect.poll(() => behind(backAt), { timeout: lineMsMax, interval: 500 }).toEqual([]);
  });

  test('has lost no slot, and ends', async () => {
    const audit = spawnSync(process.execPath, [main, 'audit', '--data', dataDir], {
      encoding: 'utf8',
    });
    expect(audit.stdout).toContain('nothing is violated');
    expect(audit.status).toBe(0);
    const { tookMs, code } = await running.interrupt();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(2 * stopMsMax);
  });

  /** The ACTIVE plants without a poll of a slot after `at`. */
  async function behind(at: Date): Promise<string[]> {
    if (db === null) throw new Error('the product did not start');
    const plants = await db
      .selectFrom('plants')
      .select('id')
      .where('integration_status', '=', 'ACTIVE')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('poll_logs')
              .select('plant_id')
              .whereRef('poll_logs.plant_id', '=', 'plants.id')
              .where('scheduled_for', '>', at)
              .where('outcome', '<>', 'MISSED'),
          ),
        ),
      )
      .execute();
    return plants.map(({ id }) => id);
  }
});
