import { afterEach, beforeEach, describe, expect } from 'vitest';

import { startPeer, type Peer } from '../support/modbus/peer.ts';
import { fleet, test } from '../support/test-fleet.ts';
import {
  addGateways,
  type GatewaysProcess,
  polledSlots,
  rowsOf,
  slotFlaws,
  startGatewaysProcess,
  startShards,
  untilSlots,
} from '../support/gateways.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';
import type { RunningWorker } from '../../worker/worker.ts';

/** Gateways polled by workers in processes of their own, over real sockets. */

let peer: Peer;
let fleetWorker: RunningWorker;
const processes: GatewaysProcess[] = [];

async function startProcess(env: NodeJS.ProcessEnv = {}): Promise<GatewaysProcess> {
  const started = await startGatewaysProcess({ ...fleet.env, GATEWAY_SHARDS: '2', ...env });
  processes.push(started);
  return started;
}

test.beforeAll(async () => {
  fleetWorker = await startTestWorker(
    { config: { ...fleet.config, WORKER_QUEUES: ['queue:fleet'], GATEWAY_SHARDS: 2 } },
    { reconcile: false },
  );
  await startShards(fleet, 2);
});
test.afterAll(() => stopWorker(fleetWorker));

beforeEach(async () => {
  peer = await startPeer();
  peer.set(0, [230, 50, 7]);
});
afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.kill('SIGKILL');
    await one.ended;
  }
  await peer.close();
});

describe('a worker', () => {
  test('polls a gateway on its slots, at its rate, and stores what it read', async () => {
    await addGateways(fleet.db, [{ id: 'plain', port: peer.port, intervalS: 1 }]);
    await startProcess();
    await untilSlots(fleet.db, 'plain', 5);
    const rows = await rowsOf(fleet.db, 'plain');
    expect(slotFlaws(rows, 1_000)).toEqual([]);
    expect(polledSlots(rows).every(({ outcome }) => outcome === 'OK')).toBe(true);
    expect(rows.at(-1)?.values).toEqual([230, 50, 7]);
  });
});
