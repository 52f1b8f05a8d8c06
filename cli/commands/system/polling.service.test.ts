import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { saveGateways } from '../../../test/support/gateway-rows.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

/** The commands `heliograph polling …`, on plants and gateways of a real database. */

const db = () => cli.fleet.db;

beforeEach(async () => {
  for (const table of [
    'polling_halts',
    'audit_log',
    'gateway_shards',
    'gateways',
    'plants',
  ] as const)
    await db().deleteFrom(table).execute();
});

/** Adds gateways that have been polled a moment ago. */
async function add(...ids: string[]): Promise<void> {
  await saveGateways(
    db(),
    ids.map((id) => ({ id })),
    Date.now() - 600_000,
  );
  await sql`update gateway_state set last_slot = now()`.execute(db());
}

/** The reason of each gateway's open period. */
async function reasons(): Promise<Record<string, string>> {
  const rows = await db()
    .selectFrom('gateway_periods')
    .select(['gateway_id', 'reason'])
    .where('to_at', 'is', null)
    .execute();
  return Object.fromEntries(rows.map(({ gateway_id, reason }) => [gateway_id, reason]));
}

/** Periods that overlap, or leave time between them. */
async function periodFlaws(): Promise<number> {
  const { stdout } = await cli.run(['polling', 'audit', '--json']);
  const { violations } = JSON.parse(stdout) as { violations: { kind: string }[] };
  return violations.filter(({ kind }) => kind.startsWith('PERIOD')).length;
}

describe('polling stop and start', () => {
  test('of a gateway and a plant: durable, said, in the audit log, and only start undoes it', async () => {
    await add('roof', 'barn');
    const plant = await cli.add();
    const stopped = await cli.run([
      'polling',
      'stop',
      '--gateway',
      'roof',
      '--plant',
      plant,
      '--reason',
      'works on the roof',
    ]);
    expect(stopped).toMatchObject({ code: 0 });
    expect(stopped.stdout).toContain('gateway roof stopped\n');
    expect(stopped.stdout).toContain(`plant ${plant} stopped\n`);
    expect(await reasons()).toEqual({ roof: 'PAUSED', barn: 'ACTIVE' });
    expect((await cli.plantOf(plant)).integration_status).toBe('DISABLED_BY_OPERATOR');
    const again = await cli.run(['polling', 'stop', '--gateway', 'roof']);
    expect(again.stdout).toBe('gateway roof was stopped already\n');
    const log = await db()
      .selectFrom('audit_log')
      .select(['action', 'subject_id', 'after'])
      .execute();
    expect(log).toContainEqual({
      action: 'gateway.pause',
      subject_id: 'roof',
      after: { is_active: false, reason: 'works on the roof' },
    });
    await cli.run(['polling', 'start', '--gateway', 'roof', '--plant', plant]);
    expect(await reasons()).toEqual({ roof: 'ACTIVE', barn: 'ACTIVE' });
    expect((await cli.plantOf(plant)).integration_status).toBe('ACTIVE');
    expect(await periodFlaws()).toBe(0);
  });

  test('start brings a gateway back that its failures disabled', async () => {
    await add('roof');
    await sql`update gateway_state set disabled_at = now(), probes = 3, consecutive_failures = 12 where gateway_id = 'roof'`.execute(
      db(),
    );
    await sql`update gateway_periods set reason = 'DISABLED' where gateway_id = 'roof'`.execute(
      db(),
    );
    const started = await cli.run(['polling', 'start', '--gateway', 'roof']);
    expect(started.stdout).toBe('gateway roof started\n');
    expect(await reasons()).toEqual({ roof: 'ACTIVE' });
    const state = await db().selectFrom('gateway_state').selectAll().executeTakeFirstOrThrow();
    expect(state).toMatchObject({ disabled_at: null, probes: 0, consecutive_failures: 0 });
  });

  test('what is not there is named, and the rest is done', async () => {
    await add('roof');
    const result = await cli.run([
      'polling',
      'stop',
      '--gateway',
      'roof,cellar',
      '--plant',
      'none',
    ]);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('gateway roof stopped');
    expect(result.stderr).toContain('there is no gateway cellar');
    expect(result.stderr).toContain('there is no plant none');
  });

  test.each([
    [['polling', 'stop'], 'name --gateway ID or --plant ID; --all stops all polling at once'],
    [['polling', 'start'], '--all lifts the emergency stop'],
    [['polling', 'stop', '--all', '--gateway', 'roof'], 'name no gateway and no plant'],
    [['polling', 'stop', 'roof'], 'name what the command is about with --gateway ID'],
    [['polling', 'stop', '--gateway', ','], '--gateway needs an id'],
    [['polling', 'stop', '--all'], 'say --yes'],
  ] as const)('%j is refused', async (args, sentence) => {
    const { code, stderr } = await cli.run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
  });
});

describe('the emergency stop', () => {
  test("halts every gateway, keeps everybody's own pause, and is lifted as a whole", async () => {
    await add('roof', 'barn', 'off');
    await cli.run(['polling', 'stop', '--gateway', 'barn']);
    await sql`update gateway_state set disabled_at = now() where gateway_id = 'off'`.execute(db());
    const stop = await cli.run(['polling', 'stop', '--all', '--yes', '--reason', 'smoke']);
    expect(stop.code).toBe(0);
    expect(stop.stdout).toMatch(/^All polling has been stopped since .* by cli:.*: smoke\.\n/);
    expect(await reasons()).toEqual({ roof: 'HALTED', barn: 'PAUSED', off: 'HALTED' });
    const again = await cli.run(['polling', 'stop', '--all', '--yes']);
    expect(again.stdout).toContain('Nothing was changed.');
    const status = await cli.run(['polling', 'status']);
    expect(status.code).toBe(1);
    expect(status.stdout).toContain('All polling has been stopped since');
    expect((await cli.run(['polling', 'start', '--all'])).stdout).toContain('polling goes on');
    expect(await reasons()).toEqual({ roof: 'ACTIVE', barn: 'PAUSED', off: 'DISABLED' });
    expect((await cli.run(['polling', 'start', '--all'])).stdout).toBe(
      'nobody has stopped all polling\n',
    );
    expect(await periodFlaws()).toBe(0);
  });

  test('a gateway that is stopped or started during it obeys when it is lifted', async () => {
    await add('roof', 'barn');
    await cli.run(['polling', 'stop', '--gateway', 'barn']);
    await cli.run(['polling', 'stop', '--all', '--yes']);
    await cli.run(['polling', 'stop', '--gateway', 'roof']);
    await cli.run(['polling', 'start', '--gateway', 'barn']);
    expect(await reasons()).toEqual({ roof: 'PAUSED', barn: 'HALTED' });
    await cli.run(['polling', 'start', '--all']);
    expect(await reasons()).toEqual({ roof: 'PAUSED', barn: 'ACTIVE' });
  });
});

test('polling status counts plants and gateways, and --detailed lists the gateways', async () => {
  await add('roof', 'barn');
  await cli.add();
  await cli.run(['polling', 'stop', '--gateway', 'barn']);
  const status = (await cli.json(['polling', 'status', '--gateway', 'roof'])) as Record<
    string,
    unknown
  >;
  expect(status).toMatchObject({
    halted: null,
    plants: { total: 1, active: 1 },
    gateways: { total: 2, due: 1 },
    gateway_list: [{ gateway_id: 'roof', period: 'ACTIVE', poll_interval_s: 10 }],
    plant_list: [],
    checks: [],
  });
  const { stdout } = await cli.run(['polling', 'status', '--detailed']);
  expect(stdout).toMatch(/^barn +\w+ +PAUSED +10 s/m);
});

test('polling reset clears our own locks and all leases, reconciles, and starts; locks of others stay', async () => {
  await add('roof');
  const { config, client } = cli.fleet;
  await sql`
    insert into gateway_shards (shard, epoch, owner, worker, expires_at) values (1, 7, 'a', 'a', now() + interval '1 h')`.execute(
    db(),
  );
  const redis = new Redis(config.REDIS_URL ?? '', { keyPrefix: config.REDIS_KEY_PREFIX });
  const { clusterId } = await client.workflowService.getClusterInfo({});
  await redis.set('lock:gateway:roof', `${clusterId}/${config.TEMPORAL_NAMESPACE}`, 'PX', 600_000);
  await redis.set('lock:gateway:barn', 'other/cluster', 'PX', 600_000);
  const { stdout } = await cli.run(['polling', 'reset', '--yes', '--json']);
  expect(JSON.parse(stdout)).toEqual({ lifted: true, locks: ['lock:gateway:roof'], leases: [1] });
  expect(await redis.exists('lock:gateway:barn')).toBe(1);
  await redis.del('lock:gateway:barn');
  redis.disconnect();
  expect(await reasons()).toEqual({ roof: 'ACTIVE' });
  const lease = await db().selectFrom('gateway_shards').selectAll().executeTakeFirstOrThrow();
  expect(lease).toMatchObject({ owner: null, epoch: 7 });
  const halts = await db().selectFrom('polling_halts').selectAll().execute();
  expect(halts).toMatchObject([{ reason: 'polling reset', to_at: expect.any(Date) }]);
});

test('polling reset leaves polling stopped that was stopped before', async () => {
  await add('roof');
  await cli.run(['polling', 'stop', '--all', '--yes']);
  const { stdout } = await cli.run(['polling', 'reset', '--yes']);
  expect(stdout).toContain('polling was stopped before and still is');
  expect(await reasons()).toEqual({ roof: 'HALTED' });
});

test('polling validate and audit show only what is about the named', async () => {
  await add('roof', 'barn');
  await sql`update gateways set poll_interval_s = 30`.execute(db());
  const about = async (...args: string[]) => {
    const { stdout } = await cli.run([...args, '--json']);
    const { findings = [], violations = [] } = JSON.parse(stdout) as Record<
      'findings' | 'violations',
      { gateway_id?: string }[] | undefined
    >;
    return [...new Set([...findings, ...violations].map((one) => one.gateway_id))];
  };
  expect(await about('polling', 'validate', '--gateway', 'roof')).toEqual(['roof']);
  expect(await about('polling', 'audit', '--gateway', 'barn')).toEqual(['barn']);
});

test('audit --processes names a program with a connection to a gateway, and ends nothing', async () => {
  const device = createServer();
  await new Promise<void>((resolve) => device.listen(0, '127.0.0.1', resolve));
  const { port } = device.address() as AddressInfo;
  const connected = once(device, 'connection');
  const code = `require('node:net').connect(${port}, '127.0.0.1'); setInterval(() => {}, 1000)`;
  const master = spawn(process.execPath, ['-e', code]);
  await connected;
  await saveGateways(db(), [{ id: 'roof', host: '127.0.0.1', port }], Date.now());
  const { code: exitCode, stdout } = await cli.run(['audit', '--processes', '--json']);
  const { pollers } = JSON.parse(stdout) as { pollers: object[] };
  expect(exitCode).toBe(1);
  expect(pollers).toContainEqual(
    expect.objectContaining({ kind: 'SECOND_MASTER', pid: master.pid, gateways: ['roof'] }),
  );
  expect((await cli.run(['audit', '--processes'])).stdout).toContain('none was ended');
  expect(master.exitCode).toBeNull();
  master.kill('SIGKILL');
  device.close();
});
