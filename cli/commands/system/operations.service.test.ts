import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject } from 'vitest';

import { lockKey } from '../../../db/lock.ts';
import { cli, test } from '../../../test/support/test-commands.ts';
import {
  closeTestIncident,
  insertTestIncident,
  removeTestIncident,
} from '../../../test/support/incident.ts';
import { eventually } from '../../../test/support/fleet.ts';
import { testLoops, type TestLoops } from '../../../test/support/loops.ts';
import { startTestWorker, stopWorker } from '../../../test/support/workers.ts';
import { pollWorkflowId } from '../../../workflows/plants/messages.ts';
import { components } from '../../../operations/components.ts';
import { plantSearchAttributes, startLoop } from '../../../operations/plants/loops.ts';
import { ensureSearchAttributes } from '../../../operations/search-attributes.ts';
import type { SystemStatus } from './status.ts';
import type { RunningWorker } from '../../../worker/worker.ts';

/** `status`, `validate` and `audit --fix` on a real Temporal, with and without a worker. */

let loops: TestLoops;
let worker: RunningWorker | null = null;

test.beforeAll(async () => {
  await ensureSearchAttributes(cli.fleet.client, plantSearchAttributes);
  loops = testLoops(cli.fleet);
});
afterEach(async () => {
  if (worker !== null) await stopWorker(worker);
  worker = null;
  await cli.fleet.db.deleteFrom('poll_logs').execute();
  const plants = await cli.fleet.db.deleteFrom('plants').returning('id').execute();
  for (const { id } of plants)
    await loops
      .handle(id)
      .terminate()
      .catch(() => {});
});

/** A worker's start and its first polls may take long on a machine that is busy with something else. */
const withWorkerMs = 90_000;

/** A plant that is older than what has just been made may be. */
async function addOld(intervalS: number): Promise<string> {
  const id = await cli.add({ intervalS });
  await cli.fleet.db
    .updateTable('plants')
    .set({
      created_at: new Date(Date.now() - 3_600_000),
      activated_at: new Date(Date.now() - 3_600_000),
    })
    .where('id', '=', id)
    .execute();
  return id;
}

const openPeriod = (id: string, intervalS: number, minutesAgo: number) =>
  sql`insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
    values (${id}, now() - make_interval(mins => ${minutesAgo}), ${intervalS}, 0, 'ACTIVE')`.execute(
    cli.fleet.db,
  );

async function statusNow(): Promise<{ code: number; status: SystemStatus }> {
  const { code, stdout, stderr } = await cli.run(['status', '--json']);
  expect(stderr).toBe('');
  return { code, status: JSON.parse(stdout) as SystemStatus };
}

const startFor = (id: string) => startLoop(cli.fleet.client, { id, name: id, brand: 'SOLIS' });

// First, since Temporal lists a worker that stopped for a minute more.
describe('without a worker', () => {
  test('status names the queues that nobody serves and the loops that are missing', async () => {
    await addOld(600);
    const { code, status } = await statusNow();
    expect(code).toBe(1);
    expect(status.problems).toEqual(
      expect.arrayContaining([
        'No worker serves queue:poll:solis, and 1 plant waits.',
        'No worker serves queue:fleet.',
        '0 loops run for 1 plant.',
      ]),
    );
  });

  test('status and validate name open incidents, failing accounts, and plants that fail since when', async () => {
    const { db } = cli.fleet;
    const { sinceMs, plantIds } = await insertTestIncident(db, Date.now());
    const keyless = await addOld(600);
    const accountId = (await cli.plantOf(keyless)).vendor_account_id;
    await db.deleteFrom('integration_credentials').where('account_id', '=', accountId).execute();
    const { code, status } = await statusNow();
    const text = (await cli.run(['status'])).stdout;
    const tokyo = await Promise.all(
      ['status', 'validate'].map((name) => cli.run([name, '--zone', 'Asia/Tokyo'])),
    );
    const why = (await cli.run(['why', 'away-1'])).stdout;
    const { findings } = JSON.parse((await cli.run(['validate', '--json'])).stdout) as {
      findings: { kind: string; plant_id: string | null; account_id?: string; at: string }[];
    };
    await removeTestIncident(db);
    const since = new Date(sinceMs).toISOString();
    expect(code).toBe(1);
    expect(status.problems.join(' ')).toMatch(
      /HUAWEI not answering since .*1 account fails.*3 plants fail/,
    );
    expect(status.fleet).toMatchObject({
      state: 'degraded',
      incidents: [{ brand: 'HUAWEI', since }],
      accounts: [{ account_id: accountId, reason: 'NO_CREDENTIALS', plants: 1 }],
    });
    expect(status.fleet.plants.map(({ plant_id }) => plant_id).toSorted()).toEqual(plantIds);
    expect(text).toMatch(
      /away-1 \S+: 3 polls failed since .* UTC, the last with VENDOR_ERROR: HTTP 503\./,
    );
    for (const { stdout } of tokyo) {
      expect(stdout).toMatch(/3 polls failed since .* UTC[+]9, the last with/);
      expect(stdout).toMatch(/HUAWEI not answering since .* UTC[+]9\./);
    }
    expect(text).toContain(accountId);
    // A failed poll measured nothing: it is not said to book a total to no day.
    expect(why).toContain('FAILED: VENDOR_ERROR HTTP 503');
    expect(why).toContain('HUAWEI not answering since');
    expect(why).toContain('The poll failed and measured nothing: no verdict.');
    expect(why).not.toMatch(/booked to|measured +–|No total was booked/);
    const named = (kind: string) => findings.filter((one) => one.kind === kind);
    expect(named('INCIDENT_OPEN')).toMatchObject([{ at: since }]);
    expect(named('ACCOUNT_FAILS')).toMatchObject([{ account_id: accountId, plant_id: null }]);
    expect(
      named('PLANT_FAILS')
        .map(({ plant_id }) => plant_id)
        .toSorted(),
    ).toEqual(plantIds);
    expect(named('PLANT_FAILS')).toMatchObject(plantIds.map(() => ({ at: since })));
  });

  test('alerts list shows an incident as one line that --incident unfolds; programs get every alert', async () => {
    const { db } = cli.fleet;
    const incident = await insertTestIncident(db, Date.now());
    const id = String(incident.id);
    const folded = (await cli.run(['alerts', 'list'])).stdout;
    const unfolded = (await cli.run(['alerts', 'list', '--incident', id])).stdout;
    const json = JSON.parse((await cli.run(['alerts', 'list', '--json'])).stdout) as {
      incident_id: number | null;
    }[];
    await closeTestIncident(db, incident, Date.now());
    const history = (await cli.run(['alerts', 'list', '--history'])).stdout;
    await removeTestIncident(db);
    expect(folded).toMatch(
      /^HUAWEI not answering since .* 3 of 3 plants fail\. 3 alerts kept, none announced/,
    );
    expect(folded).toContain('MOCK_FAULT of away-1');
    expect(folded).not.toContain('API_ERROR of');
    expect(unfolded).toContain('API_ERROR of away-3');
    expect(unfolded).not.toContain('MOCK_FAULT of');
    expect(json.map(({ incident_id }) => incident_id).toSorted()).toEqual([
      ...Array<number>(3).fill(incident.id),
      null,
    ]);
    expect(history).toMatch(
      /^HUAWEI did not answer from .* Up to 3 plants failed\. 3 alerts in it/,
    );
  });

  test('validate says which slot is overdue since when, and why', async () => {
    const missing = await addOld(60);
    const stuck = await addOld(60);
    await openPeriod(missing, 60, 10);
    await openPeriod(stuck, 60, 10);
    await startFor(stuck);
    await eventually(
      'the loop is listed',
      async () => (await statusNow()).status.loops.running === 1,
    );
    const { code, stdout } = await cli.run(['validate', '--json']);
    const { findings, ...counts } = JSON.parse(stdout) as {
      findings: { kind: string; plant_id: string | null; sentence: string }[];
    };
    expect(code).toBe(1);
    expect(counts).toMatchObject({ plants: 2, active: 2, with_loop: 1, on_time: 0 });
    expect(findings.map(({ kind, plant_id }) => [kind, plant_id])).toEqual(
      expect.arrayContaining([
        ['QUEUE_WITHOUT_WORKER', null],
        ['reconciliation', null],
        ['LOOP_MISSING', missing],
        ['SLOT_OVERDUE', missing],
        ['SLOT_OVERDUE', stuck],
      ]),
    );
    const why = (id: string) =>
      findings.find(({ kind, plant_id }) => kind === 'SLOT_OVERDUE' && plant_id === id)?.sentence;
    expect(why(missing)).toMatch(/its loop is missing\.$/);
    expect(why(stuck)).toMatch(/no worker serves queue:poll:solis\.$/);
    expect((await cli.run(['validate'])).stdout).toContain('→ ');
  });

  test('a slot is overdue after an interval and a minute, and not before', async () => {
    const id = await addOld(60);
    await openPeriod(id, 60, 60);
    const rowAt = async (secondsAgo: number) => {
      await cli.fleet.db.deleteFrom('poll_logs').execute();
      await sql`insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
        values (${id}, 'POLL', now() - make_interval(secs => ${secondsAgo}), 'SCHEDULE', 'MISSED', 1, 'w', 'r')`.execute(
        cli.fleet.db,
      );
      const { stdout } = await cli.run(['validate', '--json']);
      const { findings } = JSON.parse(stdout) as { findings: { kind: string }[] };
      return findings.some(({ kind }) => kind === 'SLOT_OVERDUE');
    };
    // The grid's slot after the row is due up to an interval later.
    expect(await rowAt(115)).toBe(false);
    expect(await rowAt(185)).toBe(true);
  });

  test('audit --fix shows what it would do, asks, starts the missing loop and tells who has not looked', async () => {
    const missing = await addOld(600);
    const changed = await addOld(600);
    await startFor(changed);
    await eventually(
      'the loop is listed',
      async () => (await statusNow()).status.loops.running === 1,
    );
    const refused = await cli.run(['audit', '--fix']);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain(`start the loop ${pollWorkflowId(missing)}`);
    expect(refused.stdout).toContain(`tell the loop of ${changed} that its plant was changed`);
    expect((await cli.run(['audit', '--fix'], { typed: 'no\n' })).code).toBe(1);
    await expect(loops.handle(missing).describe()).rejects.toThrow();

    const done = await cli.run(['audit', '--fix', '--yes']);
    expect((await loops.handle(missing).describe()).status.name).toBe('RUNNING');
    expect(done.stdout).toContain('2 repairs made, 0 no longer needed');
    // Nobody is there who could look: it says so, and the ledger was not touched.
    expect(done.stdout).toContain('not effective yet, because a worker must run');
    expect(await cli.fleet.db.selectFrom('poll_logs').selectAll().execute()).toEqual([]);
  }, 60_000);

  describe('of locks', () => {
    let redis: Redis;
    beforeAll(() => {
      redis = new Redis(inject('servers').redisUrl, {
        keyPrefix: cli.fleet.config.REDIS_KEY_PREFIX,
      });
    });
    afterAll(() => redis.disconnect());

    test('audit --fix deletes those without an end or of a dead owner, and leaves those of others', async () => {
      const { clusterId } = await cli.fleet.client.workflowService.getClusterInfo({});
      const domain = `${clusterId}/${cli.fleet.client.options.namespace}`;
      await redis.set(lockKey('plant', 'endless'), 'somebody');
      await redis.set(
        lockKey('plant', 'dead'),
        `${domain}/${pollWorkflowId('dead')}`,
        'PX',
        600_000,
      );
      await redis.set(lockKey('plant', 'foreign'), 'other/cluster/loop', 'PX', 600_000);
      const { stdout } = await cli.run(['audit', '--fix', '--yes', '--json']);
      const { repairs, repaired } = JSON.parse(stdout) as {
        repairs: { kind: string; plant_id: string }[];
        repaired: object;
      };
      expect(repairs.map(({ kind, plant_id }) => `${kind} ${plant_id}`).toSorted()).toEqual([
        'FREE_LOCK dead',
        'FREE_LOCK endless',
      ]);
      expect(repaired).toEqual({ done: 2, needless: 0 });
      expect(await redis.exists(lockKey('plant', 'dead'), lockKey('plant', 'endless'))).toBe(0);
      expect(await redis.exists(lockKey('plant', 'foreign'))).toBe(1);
      await redis.del(lockKey('plant', 'foreign'));
    });
  });
});

describe('with a worker', () => {
  test(
    'status sees it on every queue, the loops, the polls and their lateness',
    async () => {
      const id = await addOld(2);
      worker = await startTestWorker(cli.fleet);
      await loops.untilPolled(id, 4);
      const seen = await eventually('all is well', async () => {
        const now = await statusNow();
        return now.code === 0 && (now.status.polling[0]?.polls ?? 0) >= 4 && now;
      });
      expect(seen.status.problems).toEqual([]);
      expect(seen.status.queues.map(({ queue, workers }) => [queue, workers.length])).toEqual([
        ['queue:poll:solis', 1],
        ['queue:poll:huawei', 1],
        ['queue:poll:goodwe', 1],
        ['queue:poll:dele', 1],
        ['queue:fleet', 1],
        ['queue:notifications', 1],
        ['queue:poll:modbus', 0],
      ]);
      expect(seen.status.loops).toEqual({ running: 1, plants: 1, active: 1 });
      const [solis] = seen.status.polling;
      expect(solis?.late_p50_ms).toBeGreaterThanOrEqual(0);
      expect(seen.status.versions).toMatchObject({
        temporal: expect.stringMatching(/^\d+\./),
        migration: expect.stringMatching(/^\d{8}T/),
      });
      const text = (await cli.run(['status', '--detailed'])).stdout;
      expect(text).toMatch(/^nothing is wrong/);
      expect(text).toContain(`${process.pid}@`);
      for (const { name } of components) expect(text).toContain(`\n${name} `);
      expect((await cli.run(['validate'])).stdout).toMatch(
        /1 plant, 1 ACTIVE: 1 with a loop, 1 without an overdue slot\nnothing is found/,
      );
    },
    withWorkerMs,
  );

  test(
    'status counts errors by type, with the newest sentence where it is asked for',
    async () => {
      // HTTP 500 twice: a VENDOR_ERROR.
      const id = await cli.add({ vendorPlantId: '1298491919448631828', intervalS: 600 });
      worker = await startTestWorker(cli.fleet);
      await loops.untilPolled(id, 1);
      const { status } = await statusNow();
      expect(status.errors).toMatchObject([
        { brand: 'SOLIS', error_type: 'VENDOR_ERROR', polls: 1, plants: 1 },
      ]);
      expect(status.errors[0]?.newest).toMatch(/./);
      expect((await cli.run(['status'])).stdout).toContain('VENDOR_ERROR');
    },
    withWorkerMs,
  );

  test(
    'audit --fix starts a loop that is missing and ends one whose plant is gone',
    async () => {
      const gone = await addOld(600);
      await startFor(gone);
      worker = await startTestWorker(cli.fleet, { reconcile: false });
      await loops.untilPolled(gone, 1);
      await loops.remove(gone);
      // The list of running workflows lags a moment behind.
      const repaired = await eventually('the loop is found', async () => {
        const { stdout } = await cli.run(['audit', '--fix', '--yes', '--json']);
        const { repairs } = JSON.parse(stdout) as { repairs: { kind: string; plant_id: string }[] };
        return repairs.length > 0 && repairs;
      });
      expect(repaired).toMatchObject([{ kind: 'TELL_LOOP', plant_id: gone }]);
      await eventually('the loop has ended, and the audit is content', async () => {
        return (await cli.run(['audit', '--fix', '--yes'])).code === 0;
      });
      expect((await loops.handle(gone).describe()).status.name).not.toBe('RUNNING');
    },
    withWorkerMs,
  );
});

test.each([
  ['status', { TEMPORAL_ADDRESS: '127.0.0.1:9' }],
  ['validate', { TEMPORAL_ADDRESS: '127.0.0.1:9' }],
  ['status', { DATABASE_URL: 'postgres://127.0.0.1:9/none' }],
])(
  '%s says with code 69 which service is away',
  async (command, env) => {
    expect(await cli.run([command], { env })).toMatchObject({
      code: 69,
      stdout: '',
      stderr: expect.stringContaining('cannot be reached'),
    });
  },
  20_000,
);
