import { afterEach, beforeEach, describe, expect } from 'vitest';

import { startPeer, type Peer } from '../support/modbus/peer.ts';
import { pollGatewayUpdate, shardWorkflowId } from '../../workflows/gateways/messages.ts';
import { eventually } from '../support/fleet.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { fleet, test } from '../support/test-fleet.ts';
import {
  addGateways,
  epochOf,
  type GatewaysProcess,
  polledSlots,
  rowsOf,
  slotFlaws,
  startGatewaysProcess,
  startShards,
  untilShards,
  untilSlots,
} from '../support/walked-gateways.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';
import type { RunningWorker } from '../../worker/worker.ts';

/** Gateways polled by workers in processes of their own, over real sockets. */

let peer: Peer;
let fleetWorker: RunningWorker;
const processes: GatewaysProcess[] = [];

async function startProcess(env: NodeJS.ProcessEnv = {}): Promise<GatewaysProcess> {
  const started = await startGatewaysProcess({
    ...fleet.env,
    GATEWAY_SHARDS: '2',
    LOG_LEVEL: 'info',
    ...env,
  });
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

  test('answers a poll that a person asks for in the Web UI', async () => {
    await addGateways(fleet.db, [{ id: 'asked', port: peer.port, intervalS: 60 }]);
    await startProcess();
    const loop = fleet.client.workflow.getHandle(shardWorkflowId('0'));
    const answer = await loop.executeUpdate(pollGatewayUpdate, { args: [{ gateway_id: 'asked' }] });
    expect(answer).toMatchObject({
      outcome: 'OK',
      points: [{ value: 230 }, { value: 50 }, { value: 7 }],
    });
    await expect(
      loop.executeUpdate(pollGatewayUpdate, { args: [{ gateway_id: 'nobody' }] }),
    ).rejects.toThrow();
  });
});

describe('a worker that is killed', () => {
  test('is followed by the next one of its host before its lease ends, and every slot is accounted for', async () => {
    await addGateways(fleet.db, [{ id: 'killed', port: peer.port, intervalS: 1 }]);
    const first = await startProcess();
    await untilSlots(fleet.db, 'killed', 3);
    first.kill('SIGKILL');
    await first.ended;
    const killedAtMs = Date.now();
    await startProcess();
    await untilSlots(fleet.db, 'killed', 3, { afterMs: killedAtMs });
    const rows = await rowsOf(fleet.db, 'killed');
    expect(slotFlaws(rows, 1_000)).toEqual([]);
    const missed = rows.filter(({ outcome }) => outcome === 'MISSED');
    expect(missed.every(({ reason }) => reason === 'NO_WORKER')).toBe(true);
  });
});

describe('a worker that stands still', () => {
  test('for longer than its leases live sends nothing and writes nothing when it goes on', async () => {
    await addGateways(fleet.db, [{ id: 'frozen', port: peer.port, intervalS: 1 }]);
    const frozen = await startProcess();
    await untilSlots(fleet.db, 'frozen', 2);
    frozen.kill('SIGSTOP');
    const successor = await startProcess();
    const stoppedAtMs = Date.now();
    await untilSlots(fleet.db, 'frozen', 2, { afterMs: stoppedAtMs, limitMs: 60_000 });
    // From now on only the frozen one could poll.
    successor.kill('SIGSTOP');
    const before = peer.requests.length;
    const rowsBefore = await rowsOf(fleet.db, 'frozen');
    frozen.kill('SIGCONT');
    await eventually('the frozen worker to give up its walks', async () =>
      frozen.log.join('').includes('LOST'),
    );
    const ofFrozen = peer.requests.slice(before);
    expect(ofFrozen).toEqual([]);
    expect(await rowsOf(fleet.db, 'frozen')).toEqual(rowsBefore);
    successor.kill('SIGCONT');
    await untilSlots(fleet.db, 'frozen', 2, { afterMs: Date.now(), limitMs: 60_000 });
    expect(slotFlaws(await rowsOf(fleet.db, 'frozen'), 1_000)).toEqual([]);
  });
});

describe('two workers', () => {
  test('share the shards, and a deploy misses no slot at 10 s', async () => {
    // Addresses in both shards.
    const others = await Promise.all(Array.from({ length: 5 }, () => startPeer()));
    const peers = [peer, ...others];
    const gateways = peers.map(({ port }, n) => ({ id: `deploy-${n}`, port, intervalS: 10 }));
    await addGateways(fleet.db, gateways);
    const first = await startProcess();
    await untilShards(fleet.db, 'the first worker to walk both shards', (shards) =>
      shards.every(({ worker }) => worker?.startsWith(`${first.pid}@`)),
    );
    const second = await startProcess();
    await untilShards(
      fleet.db,
      'one shard each',
      (shards) => new Set(shards.map(({ worker }) => worker)).size === 2,
    );
    first.kill('SIGTERM');
    await first.ended;
    await untilShards(fleet.db, 'the second worker to walk both', (shards) =>
      shards.every(({ worker }) => worker?.startsWith(`${second.pid}@`)),
    );
    const afterMs = Date.now();
    for (const { id } of gateways) {
      await untilSlots(fleet.db, id, 1, { afterMs });
      const rows = await rowsOf(fleet.db, id);
      expect(slotFlaws(rows, 10_000)).toEqual([]);
      expect(rows.filter(({ outcome }) => outcome === 'MISSED')).toEqual([]);
    }
    await Promise.all(others.map((one) => one.close()));
  });
});

describe('while a server is away', () => {
  test('Temporal: polling goes on without a gap, and the next attempt adopts the walk', async () => {
    const [host = '', port = ''] = (fleet.env['TEMPORAL_ADDRESS'] ?? '').split(':');
    const proxy = await startTcpProxy(host, Number(port));
    await addGateways(fleet.db, [{ id: 'lonely', port: peer.port, intervalS: 1 }]);
    await startProcess({ TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}` });
    await untilSlots(fleet.db, 'lonely', 2);
    const epoch = await epochOf(fleet.db, 0);
    const other = await epochOf(fleet.db, 1);
    proxy.cut();
    // Longer than the heartbeat's time-out and the SDK's own patience of nine seconds.
    const cutAtMs = Date.now();
    await untilSlots(fleet.db, 'lonely', 15, { afterMs: cutAtMs, limitMs: 60_000 });
    proxy.mend();
    const mendedAtMs = Date.now();
    await eventually(
      'the next attempt to stand behind the walk',
      async () => {
        const { raw } = await fleet.client.workflow.getHandle(shardWorkflowId('0')).describe();
        const [pending] = raw.pendingActivities ?? [];
        return Number(pending?.lastHeartbeatTime?.seconds ?? 0) * 1_000 > mendedAtMs;
      },
      60_000,
    );
    expect([await epochOf(fleet.db, 0), await epochOf(fleet.db, 1)]).toEqual([epoch, other]);
    const rows = await rowsOf(fleet.db, 'lonely');
    expect(slotFlaws(rows, 1_000)).toEqual([]);
    expect(rows.filter((row) => row.outcome === 'MISSED' && row.read_at > cutAtMs)).toEqual([]);
    expect(peer.connections).toBe(1);
    await proxy.close();
  });

  test('PostgreSQL: polling goes on, and the rows come when it returns', async () => {
    const url = new URL(fleet.env['DATABASE_URL'] ?? '');
    const proxy = await startTcpProxy(url.hostname, Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    await addGateways(fleet.db, [{ id: 'unstored', port: peer.port, intervalS: 1 }]);
    await startProcess({ DATABASE_URL: url.href });
    await untilSlots(fleet.db, 'unstored', 2);
    proxy.cut();
    const cutAtMs = Date.now();
    const before = peer.requests.length;
    await eventually(
      'eight polls without PostgreSQL',
      async () => peer.requests.length >= before + 8,
    );
    proxy.mend();
    await untilSlots(fleet.db, 'unstored', 12, { afterMs: cutAtMs });
    const rows = await rowsOf(fleet.db, 'unstored');
    expect(slotFlaws(rows, 1_000)).toEqual([]);
    expect(rows.filter((row) => row.outcome === 'MISSED' && row.read_at > cutAtMs)).toEqual([]);
    await proxy.close();
  });
});
