import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject } from 'vitest';

import { lockKey, openLockClient } from '../../../db/lock.ts';
import { createTestIo } from '../../../test/support/command-line.ts';
import { addPlant, eventually } from '../../../test/support/fleet.ts';
import { fleet, test } from '../../../test/support/test-fleet.ts';
import { pollWorkflowId } from '../../../workflows/plants/messages.ts';
import type { AuditReport, ViolationKind } from '../../../operations/plants/check.ts';
import { parseCommand } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { audit } from './audit.ts';

const startedIds: string[] = [];
afterEach(async () => {
  for (const workflowId of startedIds.splice(0)) {
    await fleet.client.workflow
      .getHandle(workflowId)
      .terminate()
      .catch(() => {});
  }
  await fleet.db.deleteFrom('plants').execute();
});

/** Nobody polls this queue: what is started on it runs, and does nothing. */
async function startLoop(workflowId: string): Promise<void> {
  await fleet.client.workflow.start('monitorPlant', { workflowId, taskQueue: 'queue:nobody' });
  startedIds.push(workflowId);
}

async function addOldPlant(id: string): Promise<void> {
  await addPlant(fleet.db, fleet.config, { id, vendorPlantId: id });
  await fleet.db
    .updateTable('plants')
    .set({ created_at: new Date(0) })
    .where('id', '=', id)
    .execute();
}

async function run(env: NodeJS.ProcessEnv = {}): Promise<{ code: number; report: AuditReport }> {
  const { io, stdout } = createTestIo({ env: { ...fleet.env, ...env } });
  const context = parseCommand(audit, ['--json'], io);
  if (context === 'HELP') throw new Error('nobody asked for help');
  const code = (await audit.run(context)) ?? exitCodes.done;
  return { code, report: JSON.parse(stdout.text) as AuditReport };
}

function kindsOf({ violations }: AuditReport): ViolationKind[] {
  return violations.map((violation) => violation.kind).toSorted();
}

describe('with the services', () => {
  test('an empty fleet is as it should be', async () => {
    const { code, report } = await run();
    expect(code).toBe(exitCodes.done);
    expect(report).toMatchObject({ violations: [], truncated: false, counts: { plants: 0 } });
  });

  test('a plant is missed its loop until one runs', async () => {
    await addOldPlant('meadow');
    const before = await run();
    expect(before.code).toBe(exitCodes.failed);
    expect(kindsOf(before.report)).toEqual(['LOOP_MISSING']);
    await startLoop(pollWorkflowId('meadow'));
    // At once, whatever the visibility store knows of it.
    const after = await run();
    expect(after).toMatchObject({ code: exitCodes.done, report: { counts: { loops: 1 } } });
  });

  test('a loop that ended is missed at once', async () => {
    await addOldPlant('meadow');
    await startLoop(pollWorkflowId('meadow'));
    await fleet.client.workflow.getHandle(pollWorkflowId('meadow')).terminate();
    await eventually('the loop is missed', async () => {
      return kindsOf((await run()).report).includes('LOOP_MISSING');
    });
  });

  test('loops without a plant are found, whatever their name', async () => {
    await startLoop(pollWorkflowId('deleted'));
    await startLoop('started-by-hand');
    await eventually('both are listed', async () => {
      return kindsOf((await run()).report).join() === 'LOOP_UNKNOWN,LOOP_UNKNOWN';
    });
  });

  test('a loop that no worker answers for is told of', async () => {
    await addOldPlant('meadow');
    await startLoop(pollWorkflowId('meadow'));
    await sql`insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
      values ('meadow', now() - interval '1 hour', 600, 0, 'ACTIVE')`.execute(fleet.db);
    const { report } = await run();
    expect(report.violations).toMatchObject([{ kind: 'SLOT_MISSING', plant_id: 'meadow' }]);
    expect(report.violations[0]?.sentence).toContain("and the plant's loop does not answer");
  });
});

describe('of the locks in Redis', () => {
  const { redisUrl } = inject('servers');
  let redis: Redis;
  beforeAll(() => {
    redis = new Redis(redisUrl, { keyPrefix: fleet.config.REDIS_KEY_PREFIX });
  });
  afterEach(() => redis.del(lockKey('plant', 'meadow')));
  afterAll(() => redis.disconnect());

  test("the loop's own is as it should be", async () => {
    const { clusterId } = await fleet.client.workflowService.getClusterInfo({});
    const owner = `${clusterId}/${fleet.client.options.namespace}/${pollWorkflowId('meadow')}`;
    const locks = openLockClient({
      kind: 'plant',
      url: redisUrl,
      keyPrefix: fleet.config.REDIS_KEY_PREFIX,
      onUnavailable: () => {},
    });
    await eventually('the lock is ours', async () => {
      return (await locks.acquire('meadow', owner, 60_000)) === 'FREE';
    });
    locks.close();
    expect((await run()).report).toMatchObject({ violations: [], counts: { locks: 1 } });
  });

  test("one without an end and somebody's are found", async () => {
    await redis.set(lockKey('plant', 'meadow'), 'somebody');
    const { code, report } = await run();
    expect(code).toBe(exitCodes.failed);
    expect(kindsOf(report)).toEqual(['LOCK_UNKNOWN_OWNER', 'LOCK_WITHOUT_TTL']);
  });
});

test.each<[string, NodeJS.ProcessEnv]>([
  ['Redis', { REDIS_URL: 'redis://127.0.0.1:1' }],
  ['Temporal', { TEMPORAL_ADDRESS: '127.0.0.1:1' }],
  ['PostgreSQL', { DATABASE_URL: 'postgres://127.0.0.1:1/none' }],
])('without %s it says so, with the code of a service that is away', async (name, env) => {
  await expect(run(env)).rejects.toMatchObject({
    exitCode: exitCodes.serviceAway,
    message: expect.stringMatching(new RegExp(`^${name} at 127\\.0\\.0\\.1:1 cannot be reached`)),
  });
});
