import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';

import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { saveGateways } from '../../test/support/gateway-rows.ts';
import { eventually } from '../../test/support/fleet.ts';
import { cli, test } from '../../test/support/test-commands.ts';
import type { Issue, WholeDiagnosis } from '../results.ts';

/** Each breakage of gateways' polling is made on real servers; the diagnosis names it, and `--fix` mends what it may. */

const db = () => cli.fleet.db;

beforeEach(async () => {
  for (const table of [
    'polling_halts',
    'gateway_learned',
    'gateway_readings',
    'gateway_shards',
    'gateway_workers',
    'gateways',
    'gateway_maps',
  ] as const)
    await db().deleteFrom(table).execute();
});

/** Leases and a worker as a healthy walker leaves them, on this process unless said. */
async function walked({ owner = ownOwner(), shards = 4 } = {}): Promise<void> {
  await sql`
    insert into gateway_workers (owner, host, pid, started_at, seen_at)
    values (${owner}, 'host', 1, now(), now() + interval '10 min')`.execute(db());
  await sql`
    insert into gateway_shards (shard, epoch, owner, worker, expires_at, figures_at)
    select n, 1, ${owner}, '1@host', now() + interval '10 min', now()
    from generate_series(0, ${shards - 1}::int) n`.execute(db());
}

/** The owner of a lease of a process: by the boot, the pid namespace, the pid and when it started. */
function ownerOf(pid: number): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return `${boot}/${namespace}/${pid}/${startedAt}`;
}
const ownOwner = () => ownerOf(process.pid);

/** A gateway whose period began an hour ago and whose newest row is so old. */
async function gateway(
  id: string,
  {
    newestAgoS = 5,
    host = `${id}.example.org`,
  }: { newestAgoS?: number | null; host?: string } = {},
): Promise<void> {
  await saveGateways(db(), [{ id, host }], Date.now() - 3_600_000);
  if (newestAgoS !== null)
    await sql`
      update gateway_state set last_slot = now() - make_interval(secs => ${newestAgoS}), last_seen_at = now(),
        status = 'ONLINE' where gateway_id = ${id}`.execute(db());
}

async function poll(
  id: string,
  agoS: number,
  row: { durationMs?: number; outcome?: string; reason?: string | null; missed?: number } = {},
): Promise<void> {
  const { durationMs = 50, outcome = 'OK', reason = null, missed = 0 } = row;
  await sql`
    insert into gateway_readings (gateway_id, read_at, "trigger", outcome, reason, slots_missed, measured_at, late_ms,
      duration_ms, requests)
    values (${id}, now() - make_interval(secs => ${agoS}), 'SCHEDULE', ${outcome}, ${reason}, ${missed}, now(), 0,
      ${durationMs}, 1)`.execute(db());
}

async function diagnosed(): Promise<{ issues: Issue[]; diagnosis: WholeDiagnosis }> {
  const { stdout } = await cli.run(['diagnose', '--json']);
  const diagnosis = JSON.parse(stdout) as WholeDiagnosis;
  return { diagnosis, issues: diagnosis.results.flatMap(({ details }) => details.issues) };
}

/** The words about a gateway, or about a shard. */
async function wordsOf(about: { gateway?: string; shard?: number }): Promise<string[]> {
  const { issues } = await diagnosed();
  return issues
    .filter(
      (one) => one.gateway_id === (about.gateway ?? null) && one.shard === (about.shard ?? null),
    )
    .map(({ issue }) => issue);
}

const shardOf = async (id: string): Promise<number> => {
  const { rows } = await sql<{ shard: number }>`
    select (address_hash % 4)::int as shard from gateways where id = ${id}`.execute(db());
  return rows[0]?.shard ?? -1;
};

interface Fixed {
  repairs: { kind: string; shard?: number; gateway_id?: string }[];
  repaired: { done: number; needless: number };
  after: WholeDiagnosis;
}

async function fixed(): Promise<Fixed> {
  const { stdout, stderr } = await cli.run(['diagnose', '--fix', '--yes', '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Fixed;
}

test('the parts of a healthy system are named in order, with what was looked at', async () => {
  await walked();
  await gateway('well');
  const { diagnosis } = await diagnosed();
  expect(diagnosis.results.slice(0, 9).map(({ component }) => component)).toEqual([
    'database',
    'redis',
    'temporal',
    'workers',
    'queues',
    'shards',
    'loops',
    'gateways',
    'clock',
  ]);
  const part = (name: string) => diagnosis.results.find(({ component }) => component === name);
  expect(part('gateways')).toMatchObject({
    status: 'healthy',
    message: expect.stringContaining('1 of 1 gateway is due and polled in time'),
    details: { gateways: 1, due: 1, not_polled: 0, by_status: { ONLINE: 1 }, issues: [] },
    recommendations: [],
    can_auto_fix: false,
  });
  expect(part('shards')).toMatchObject({ status: 'healthy', details: { issues: [] } });
  expect(part('clock')).toMatchObject({ status: 'healthy' });
});

describe('a breakage is named', () => {
  test('no worker: worker_absent, and why the gateway waits', async () => {
    await gateway('lonely', { newestAgoS: 120 });
    expect(await wordsOf({})).toContain('worker_absent');
    const { issues, diagnosis } = await diagnosed();
    const [mine] = issues.filter(({ gateway_id: id }) => id === 'lonely');
    expect(mine).toMatchObject({
      issue: 'overdue_polling',
      message: expect.stringMatching(/no worker walks gateways\.$/),
    });
    const workers = diagnosis.results.find(({ component }) => component === 'workers');
    expect(workers?.recommendations).toContain('Start `npm run worker:gateways`.');
  });

  test('a gateway that was never polled: missing_polling', async () => {
    await walked();
    await gateway('new', { newestAgoS: null });
    expect(await wordsOf({ gateway: 'new' })).toContain('missing_polling');
  });

  test('a dead lease owner: orphaned_lock of its shard; --fix frees the lease, and no living one', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const dead = ownerOf(child.pid ?? 0);
    await walked();
    await gateway('orphan', { newestAgoS: 120 });
    const shard = await shardOf('orphan');
    await sql`update gateway_shards set owner = ${dead}, worker = 'dead@host' where shard = ${shard}`.execute(
      db(),
    );
    // It lives: nothing proves that its lease is orphaned.
    expect(await wordsOf({ shard })).not.toContain('orphaned_lock');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await wordsOf({ shard })).toContain('orphaned_lock');
    const { repairs } = await fixed();
    expect(repairs).toContainEqual(expect.objectContaining({ kind: 'FREE_LEASE', shard }));
    const rows = await db()
      .selectFrom('gateway_shards')
      .select(['shard', 'owner'])
      .orderBy('shard')
      .execute();
    expect(rows.filter(({ owner }) => owner === null).map((row) => row.shard)).toEqual([shard]);
  });

  test('an orphaned lock: --fix deletes it, and neither a held lock nor one of another cluster', async () => {
    await walked();
    await gateway('due');
    await gateway('paused');
    await cli.run(['polling', 'stop', '--gateway', 'paused']);
    const redis = new Redis(cli.fleet.config.REDIS_URL ?? '', {
      keyPrefix: cli.fleet.config.REDIS_KEY_PREFIX,
    });
    const { clusterId } = await cli.fleet.client.workflowService.getClusterInfo({});
    const ours = `${clusterId}/${cli.fleet.config.TEMPORAL_NAMESPACE}`;
    await redis.set('lock:gateway:due', ours, 'PX', 600_000);
    await redis.set('lock:gateway:paused', ours, 'PX', 600_000);
    await redis.set('lock:gateway:elsewhere', 'other/cluster', 'PX', 600_000);
    await redis.set('lock:gateway:endless', 'somebody');
    const { issues } = await diagnosed();
    const orphans = issues.filter(({ issue }) => issue === 'orphaned_lock');
    expect(orphans.map((one) => one.gateway_id).toSorted()).toEqual(['endless', 'paused']);
    const { repairs } = await fixed();
    expect(repairs.filter(({ kind }) => kind === 'FREE_LOCK')).toHaveLength(2);
    const left = await Promise.all(
      ['due', 'paused', 'elsewhere', 'endless'].map((id) => redis.exists(`lock:gateway:${id}`)),
    );
    await redis.del('lock:gateway:due', 'lock:gateway:elsewhere');
    redis.disconnect();
    expect(left).toEqual([1, 0, 1, 0]);
    expect((await diagnosed()).issues.filter(({ issue }) => issue === 'orphaned_lock')).toEqual([]);
  });

  test('a wrong interval: interval_mismatch', async () => {
    await walked();
    await gateway('slow');
    await sql`update gateways set poll_interval_s = 30 where id = 'slow'`.execute(db());
    const { issues } = await diagnosed();
    expect(issues).toContainEqual(
      expect.objectContaining({
        issue: 'interval_mismatch',
        gateway_id: 'slow',
        message: 'It is polled every 10 s, and its row says 30 s.',
      }),
    );
    await cli.run(['polling', 'stop', '--gateway', 'slow']);
    await cli.run(['polling', 'start', '--gateway', 'slow']);
    expect(await wordsOf({ gateway: 'slow' })).not.toContain('interval_mismatch');
  });

  test('unwanted polling: a paused gateway that is polled all the same', async () => {
    await walked();
    await gateway('zombie');
    await cli.run(['polling', 'stop', '--gateway', 'zombie']);
    expect(await wordsOf({ gateway: 'zombie' })).toEqual([]);
    await sql`update gateway_periods set from_at = now() - interval '5 min', to_at = null
      where gateway_id = 'zombie' and to_at is null`.execute(db());
    await poll('zombie', 30);
    const { issues } = await diagnosed();
    expect(issues).toContainEqual(
      expect.objectContaining({
        issue: 'unwanted_polling',
        gateway_id: 'zombie',
        message: 'It is PAUSED, and was polled 1 time in the last 10 min.',
      }),
    );
  });

  test('a stuck shard: stuck_activity; --fix takes the lease away and starts the walk anew', async () => {
    await walked();
    await gateway('behind', { newestAgoS: 300 });
    const shard = await shardOf('behind');
    // All shards walk, one of them without getting on.
    for (const n of [0, 1, 2, 3]) await startShard(n);
    expect(await wordsOf({ shard })).toEqual(['stuck_activity']);
    expect(await wordsOf({ gateway: 'behind' })).toEqual(['overdue_polling']);
    const before = await runOf(shard);
    const { repairs, repaired } = await fixed();
    expect(repairs).toContainEqual(expect.objectContaining({ kind: 'RESTART_SHARD', shard }));
    expect(repaired.done).toBeGreaterThan(0);
    const lease = await db()
      .selectFrom('gateway_shards')
      .select('owner')
      .where('shard', '=', shard)
      .executeTakeFirstOrThrow();
    expect(lease.owner).toBeNull();
    expect(await runOf(shard)).not.toBe(before);
  });

  test('a shard whose walk does not run: --fix starts it', async () => {
    await gateway('waiting', { newestAgoS: 300 });
    await walked();
    await sql`update gateway_shards set owner = null, expires_at = '-infinity'`.execute(db());
    const shard = await shardOf('waiting');
    await endShard(shard);
    expect(await wordsOf({ shard })).toEqual(['stuck_activity']);
    const { repairs } = await fixed();
    expect(repairs).toContainEqual(expect.objectContaining({ kind: 'START_SHARD', shard }));
    expect(await runOf(shard)).not.toBeNull();
  });

  test.each([
    ['CONNECTION_REFUSED', 'connection_refused'],
    ['NAME_NOT_FOUND', 'address_invalid'],
    ['ADDRESS_REFUSED', 'address_invalid'],
    ['ANOTHER_MASTER', 'another_master'],
    ['EXCEPTION_2', 'exception_2'],
  ] as const)('a gateway that fails with %s: %s, with its sentence', async (reason, word) => {
    await walked();
    await gateway('failing');
    await sql`
      update gateway_state set status = 'OFFLINE', status_reason = ${reason}, status_message = 'It does not work.',
        status_since = now() - interval '5 min' where gateway_id = 'failing'`.execute(db());
    const { issues } = await diagnosed();
    expect(issues.filter(({ gateway_id: id }) => id === 'failing')).toEqual([
      expect.objectContaining({
        issue: word,
        message: expect.stringMatching(
          /^OFFLINE since .* at failing\.example\.org:502: It does not work\.$/,
        ),
      }),
    ]);
  });

  test('a silent unit: unit_silent from its third poll on', async () => {
    await walked();
    await gateway('half');
    const silent = async (polls: number) => {
      await sql`update gateway_state set silent_units = ${JSON.stringify({ 7: polls })}::jsonb where gateway_id = 'half'`.execute(
        db(),
      );
      return (await diagnosed()).issues.filter(({ issue }) => issue === 'unit_silent');
    };
    expect(await silent(2)).toEqual([]);
    expect(await silent(3)).toEqual([
      expect.objectContaining({
        gateway_id: 'half',
        message: 'Unit 7 behind half.example.org:502 has not answered for 3 polls.',
      }),
    ]);
  });

  test('a budget that is too small: budget_exceeded for all gateways of the socket', async () => {
    await walked();
    await gateway('one', { host: 'shared.example.org' });
    await gateway('two', { host: 'Shared.example.org' });
    await gateway('alone');
    for (const id of ['one', 'two']) await poll(id, 20, { durationMs: 4_000 });
    await poll('alone', 20, { durationMs: 8_000 });
    expect(await wordsOf({ gateway: 'one' })).toEqual([]);
    await db().deleteFrom('gateway_readings').where('gateway_id', '=', 'two').execute();
    await poll('two', 20, { durationMs: 6_000 });
    expect(await wordsOf({ gateway: 'one' })).toEqual(['budget_exceeded']);
    expect(await wordsOf({ gateway: 'two' })).toEqual(['budget_exceeded']);
    expect(await wordsOf({ gateway: 'alone' })).toEqual([]);
    await poll('alone', 40, { outcome: 'MISSED', reason: 'OVERRUN', missed: 2 });
    expect(await wordsOf({ gateway: 'alone' })).toEqual(['budget_exceeded']);
  });
});

test('what was learned at an address that no gateway has is forgotten by --fix, and nothing else', async () => {
  await walked();
  await gateway('known');
  for (const host of ['known.example.org', 'gone.example.org'])
    await sql`
      insert into gateway_learned (host, port, unit_id, function, address, registers, code, times, refused_at)
      values (${host}, 502, 1, 3, 0, 10, 2, 2, now())`.execute(db());
  const { repairs } = await fixed();
  expect(repairs.filter(({ kind }) => kind === 'RESET_LEARNED')).toHaveLength(1);
  const left = await db().selectFrom('gateway_learned').select('host').execute();
  expect(left).toEqual([{ host: 'known.example.org' }]);
});

test('a missing Schedule is created by --fix', async () => {
  const { schedule } = cli.fleet.client;
  await cli.run(['diagnose', '--fix', '--yes']);
  await schedule.getHandle('polling:audit').delete();
  await eventually('the Schedule is gone', async () => {
    const { repairs } = await fixed();
    return repairs.some(({ kind }) => kind === 'CREATE_SCHEDULE');
  });
  expect((await schedule.getHandle('polling:audit').describe()).scheduleId).toBe('polling:audit');
});

test('--fix asks at a terminal, and does nothing after another answer than yes', async () => {
  await walked();
  await gateway('known');
  await sql`
    insert into gateway_learned (host, port, unit_id, function, address, registers, code, times, refused_at)
    values ('gone.example.org', 502, 1, 3, 0, 10, 2, 2, now())`.execute(db());
  const { code, stdout, stderr } = await cli.run(['diagnose', '--fix'], { typed: 'n\n' });
  expect(code).toBe(1);
  expect(stdout).toContain('forget 1 refused range of gone.example.org:502');
  expect(stderr).toContain('nothing was changed');
  expect(await db().selectFrom('gateway_learned').selectAll().execute()).toHaveLength(1);
  expect((await cli.run(['diagnose', '--fix'])).stderr).toContain('say --yes');
  expect((await cli.run(['diagnose', '--fix', '--json'])).code).toBe(2);
});

const shardId = (shard: number) => `gateways:shard:${shard}`;

async function startShard(shard: number): Promise<void> {
  await cli.fleet.client.workflow.start('walkGatewayShard', {
    workflowId: shardId(shard),
    taskQueue: 'queue:fleet',
    args: [],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
}

async function endShard(shard: number): Promise<void> {
  if ((await runOf(shard)) !== null)
    await cli.fleet.client.workflow.getHandle(shardId(shard)).terminate();
}

/** The run of a shard's workflow; null: none runs. */
async function runOf(shard: number): Promise<string | null> {
  try {
    const { runId, status } = await cli.fleet.client.workflow.getHandle(shardId(shard)).describe();
    return status.name === 'RUNNING' ? runId : null;
  } catch {
    return null;
  }
}
