import { sql } from 'kysely';
import { expect } from 'vitest';

import type { RunningWorker } from '../../worker/worker.ts';
import { runTestCommand } from '../../test/support/command-line.ts';
import { eventually } from '../../test/support/fleet.ts';
import {
  addGateways,
  type GatewaysProcess,
  startGatewaysProcess,
  startShards,
  untilSlots,
} from '../../test/support/walked-gateways.ts';
import { type Peer, startPeer } from '../../test/support/modbus/peer.ts';
import { fleet, test } from '../../test/support/test-fleet.ts';
import { startTestWorker, stopWorker } from '../../test/support/workers.ts';
import type { WholeDiagnosis } from '../results.ts';

/** The diagnosis and the emergency stop beside a real walker, whose process dies. */

const shards = 2;
let peer: Peer;
let fleetWorker: RunningWorker;
let walker: GatewaysProcess;

test.beforeAll(async () => {
  const config = { ...fleet.config, WORKER_QUEUES: ['queue:fleet'], GATEWAY_SHARDS: shards };
  fleetWorker = await startTestWorker({ config }, { reconcile: false });
  await startShards(fleet, shards);
  peer = await startPeer();
  peer.set(0, [230, 50, 7]);
  await addGateways(fleet.db, [{ id: 'roof', port: peer.port, intervalS: 1 }]);
  walker = await startWalker();
  await untilSlots(fleet.db, 'roof', 3);
});
test.afterAll(async () => {
  walker.kill('SIGKILL');
  await walker.ended;
  await stopWorker(fleetWorker);
  await peer.close();
});

const env = () => ({ ...fleet.env, GATEWAY_SHARDS: String(shards) });
const startWalker = () => startGatewaysProcess(env());
const run = (...args: string[]) => runTestCommand(args, { env: env() });

async function diagnosed(): Promise<WholeDiagnosis> {
  return JSON.parse((await run('diagnose', '--json')).stdout) as WholeDiagnosis;
}

const words = ({ results }: WholeDiagnosis) =>
  results.flatMap(({ details }) => details.issues).map(({ issue }) => issue);

/** The database's clock has passed an instant by so much. */
async function until(at: Date, laterMs: number): Promise<void> {
  await eventually(`${laterMs} ms after ${at.toISOString()}`, async () => {
    const { rows } = await sql<{ is: boolean }>`
      select clock_timestamp() >= ${at}::timestamptz + make_interval(secs => ${laterMs / 1_000}) as is`.execute(
      fleet.db,
    );
    return rows[0]?.is;
  });
}

test('a walked gateway has no issue, and its ledger violates nothing', async () => {
  const diagnosis = await diagnosed();
  const part = (name: string) => diagnosis.results.find(({ component }) => component === name);
  expect(part('shards')).toMatchObject({ status: 'healthy', details: { issues: [] } });
  expect(part('gateways')).toMatchObject({ status: 'healthy', details: { due: 1, issues: [] } });
  const { stdout } = await run('polling', 'audit', '--gateway', 'roof', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ violations: [], gateways: { lost: 0, doubled: 0 } });
});

test('2 s after the emergency stop nothing is sent any more, until it is lifted', async () => {
  await run('polling', 'stop', '--all', '--yes');
  const { from_at: at } = await fleet.db
    .selectFrom('polling_halts')
    .select('from_at')
    .where('to_at', 'is', null)
    .executeTakeFirstOrThrow();
  await until(at, 2_000);
  const sent = peer.requests.length;
  await until(at, 5_000);
  expect(peer.requests).toHaveLength(sent);
  expect(words(await diagnosed())).not.toContain('overdue_polling');
  await run('polling', 'start', '--all');
  await eventually('it is polled again', async () => peer.requests.length > sent);
  const { stdout } = await run('polling', 'audit', '--gateway', 'roof', '--json');
  expect((JSON.parse(stdout) as { violations: object[] }).violations).toEqual([]);
});

test('a walker that is killed is named, its leases are freed by --fix, and the next one polls', async () => {
  walker.kill('SIGKILL');
  await walker.ended;
  expect(words(await diagnosed())).toContain('orphaned_lock');
  const fixed = await run('diagnose', '--fix', '--yes', '--json');
  const { repairs } = JSON.parse(fixed.stdout) as { repairs: { kind: string }[] };
  expect(repairs).toContainEqual(expect.objectContaining({ kind: 'FREE_LEASE' }));
  expect(words(await diagnosed())).not.toContain('orphaned_lock');
  const sent = peer.requests.length;
  walker = await startWalker();
  await eventually('it is polled again', async () => peer.requests.length > sent);
});
