import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { type Kysely, sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';

import { createTestDatabase } from '../../test/support/database.ts';
import type { Database } from '../../db/tables.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
/** Two seedings, the second of nearly all plants, on a busy machine. */
const timeout = 240_000;
/** The interval of the demo as this test asks for it. */
const intervalS = 120;

interface Seeding {
  process: ChildProcess;
  /** Resolves with the first line that it writes with this text. */
  said(text: string): Promise<string>;
  exited: Promise<unknown[]>;
}

function seed(env: NodeJS.ProcessEnv): Seeding {
  const child = spawn(process.execPath, [main, 'seed', '--interval', String(intervalS)], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const said = async (text: string): Promise<string> => {
    const find = () => lines.find((line) => line.includes(text));
    await expect.poll(find, { timeout: 60_000, interval: 20 }).toBeDefined();
    return find() ?? '';
  };
  return { process: child, said, exited: once(child, 'exit') };
}

interface Played {
  id: string;
  integration_status: string;
  poll_interval_s: number;
  days: number;
  polls: number;
  /** Longest time between two slots, s. */
  longest_gap_s: number;
}

async function played(db: Kysely<Database>): Promise<Played[]> {
  const { rows } = await sql<Played>`
    select p.id, p.integration_status, p.poll_interval_s,
      (select count(*)::int from metric_snapshots s where s.plant_id = p.id) as days,
      count(l.slot)::int as polls,
      coalesce(extract(epoch from max(l.slot - l.earlier)), 0)::float8 as longest_gap_s
    from plants p
    left join lateral (
      select scheduled_for as slot, lag(scheduled_for) over (order by scheduled_for) as earlier
      from poll_logs where plant_id = p.id and job_type = 'POLL') l on true
    group by p.id order by p.id`.execute(db);
  return rows;
}

test(
  'a seeding that was killed in the middle is finished by the next one',
  { timeout },
  async () => {
    const { db, url, drop } = await createTestDatabase();
    onTestFinished(drop);
    const env = {
      PATH: process.env['PATH'],
      DATABASE_URL: url,
      INTEGRATION_MOCK_MODE: 'true',
      MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
    };
    const killed = seed(env);
    await killed.said('  2 of 12');
    killed.process.kill('SIGKILL');
    await killed.exited;
    const before = await played(db);
    const marks = await db.selectFrom('demo_unfinished').select('plant_id').execute();
    const unfinished = new Set(marks.map(({ plant_id }) => plant_id));
    const isPlayed = (plant: Played) => plant.poll_interval_s === intervalS;
    expect(before.filter(isPlayed).length).toBeGreaterThanOrEqual(2);
    expect(before.filter((plant) => !isPlayed(plant)).length).toBeGreaterThanOrEqual(2);

    const next = seed(env);
    expect(await next.exited).toEqual([0, null]);
    const after = await played(db);
    expect(after).toHaveLength(12);
    expect(after.filter((plant) => !isPlayed(plant))).toEqual([]);
    // Without their documents, or their password, plants have no past.
    const active = after.filter((plant) => plant.integration_status === 'ACTIVE');
    expect(active.map(({ id }) => id)).toHaveLength(10);
    for (const plant of active) {
      expect([plant.id, plant.days >= 30, plant.polls >= 144]).toEqual([plant.id, true, true]);
      expect(plant.longest_gap_s).toBeLessThanOrEqual(600);
    }
    // What was finished is left as it was.
    const finished = before.filter(({ id }) => !unfinished.has(id));
    expect(finished.length).toBeGreaterThanOrEqual(1);
    for (const plant of finished) expect(after).toContainEqual(plant);
    await next.said('an earlier seeding was cut off');
    expect(await db.selectFrom('demo_unfinished').selectAll().execute()).toEqual([]);
  },
);
