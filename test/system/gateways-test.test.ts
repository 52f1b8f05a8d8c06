import { afterAll, afterEach, beforeEach, describe, expect } from 'vitest';

import { beginHalt, liftHalt } from '../../db/halts.ts';
import { allPlants } from '../../db/scope.ts';
import { loadPresets } from '../../adapters/modbus/presets.ts';
import { pauseGateways } from '../../operations/gateways/actions.ts';
import { testAddress, testKnownGateway } from '../../operations/gateways/test-address.ts';
import type { RunningWorker } from '../../worker/worker.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { runTestCommand } from '../support/command-line.ts';
import { type Peer, startPeer } from '../support/modbus/peer.ts';
import { fleet, test } from '../support/test-fleet.ts';
import {
  addGateways,
  type GatewaysProcess,
  startGatewaysProcess,
  startShards,
  untilSlots,
} from '../support/walked-gateways.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** Addresses and gateways that people test, from a worker of gateways in a process of its own, over real sockets. */

const admin = 'admin@example.org';
const operator = 'operator@example.org';
const presets = loadPresets();
let fleetWorker: RunningWorker;
let api: TestApi;
let peer: Peer;
let started: GatewaysProcess | null = null;

async function startProcess(env: NodeJS.ProcessEnv = {}): Promise<void> {
  started = await startGatewaysProcess({ ...fleet.env, GATEWAY_SHARDS: '1', ...env });
}

test.beforeAll(async () => {
  fleetWorker = await startTestWorker(
    { config: { ...fleet.config, WORKER_QUEUES: ['queue:fleet'], GATEWAY_SHARDS: 1 } },
    { reconcile: false },
  );
  api = await createTestApi({ db: fleet.db, temporal: fleet.client, clock: Date.now });
  for (const [email, role] of [
    [admin, 'ADMIN'],
    [operator, 'OPERATOR'],
  ] as const)
    await api.user(email, role);
});
afterAll(async () => {
  await api.close();
  await stopWorker(fleetWorker);
});

/** A meter of the preset sdm630: 230, 231 and 229 V, 1,200 W, 50 Hz, 5,000 kWh of import and 60 kWh of export. */
beforeEach(async () => {
  peer = await startPeer();
  for (const [address, value] of [
    [0, 230],
    [2, 231],
    [4, 229],
    [0x34, 1_200],
    [0x46, 50],
    [0x48, 5_000],
    [0x4a, 60],
  ] as const)
    peer.set(address, floatWords(value));
});
afterEach(async () => {
  started?.kill('SIGKILL');
  await started?.ended;
  started = null;
  await peer.close();
});

function floatWords(value: number): [number, number] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
}

async function post(email: string, path: string, body?: unknown) {
  const response = await api.ask(email, 'POST', `/api/v1${path}`, body);
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** What a form of the pages is answered. */
async function send(email: string, path: string, fields: Record<string, string> = {}) {
  const body = new URLSearchParams(fields).toString();
  const headers = { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' };
  const response = await api.ask(email, 'POST', path, body, headers);
  return { status: response.status, text: await response.text() };
}

const command = (...args: string[]) => runTestCommand(args, { env: fleet.env });

async function savedRows() {
  const tables = ['gateways', 'gateway_readings', 'gateway_learned', 'gateway_layouts'] as const;
  const counts = [];
  for (const table of tables)
    counts.push((await fleet.db.selectFrom(table).selectAll().execute()).length);
  return counts;
}

describe('an address', () => {
  test('is read once by a preset: decoded values beside the raw registers, and nothing is saved', async () => {
    await startProcess();
    const before = await savedRows();
    const address = { host: '127.0.0.1', port: peer.port, unit_id: 1, preset: 'sdm630' };
    const answer = await post(admin, '/gateways/test', address);
    expect(answer).toMatchObject({
      status: 200,
      body: { host: '127.0.0.1', port: peer.port, units: [{ unit_id: 1, preset: 'sdm630' }] },
    });
    const [unit] = answer.body.units;
    expect(unit.points).toContainEqual(
      expect.objectContaining({ unit_id: 1, value: 1_200, quality: 'GOOD', raw: '44960000' }),
    );
    const requests = peer.requests.length;
    const at = `127.0.0.1:${peer.port}`;
    const run = await command('gateways', 'test', at, '--unit', '1', '--preset', 'sdm630');
    const { code, stdout, stderr } = run;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`127.0.0.1:${peer.port} unit 1: ${unit.outcome} by preset sdm630`);
    expect(stdout).toMatch(/1,200 W +GOOD +4496 0000/);
    // One look each: a second poll would ask as much again.
    expect(peer.requests.length).toBe(2 * requests);
    const page = await send(admin, '/gateways/test', {
      host: '127.0.0.1',
      port: String(peer.port),
      unit_id: '1',
      preset: 'sdm630',
      discover: '',
    });
    expect(page.status).toBe(200);
    expect(page.text).toContain('id="gateway-answer"');
    expect(page.text).toContain('1,200 W');
    expect(page.text).toContain('4496 0000');
    expect(await savedRows()).toEqual(before);
    expect(peer.sockets.size).toBe(0);
    expect(peer.requests.every(({ function: code }) => code <= 4)).toBe(true);
  });

  test('without a preset is looked at first, and read by the preset that fits', async () => {
    await startProcess();
    const address = { host: '127.0.0.1', port: peer.port, unit_id: 1 };
    const { body } = await post(admin, '/gateways/test', address);
    const [read] = body.units;
    expect(read.found.presets[0].name).toBe('sdm630');
    expect(read).toMatchObject({ preset: 'sdm630', found: { answers: true } });
    expect(read.points.length).toBeGreaterThan(3);
    const looked = await post(admin, '/gateways/test', { ...address, discover: true });
    expect(looked.body.units).toMatchObject([
      { outcome: null, preset: null, points: [], found: { word_order: { order: 'ABCD' } } },
    ]);
  });

  test('outside of GATEWAY_NETWORKS is not dialled, and its refusal is a sentence everywhere', async () => {
    await startProcess({ GATEWAY_NETWORKS: '10.0.0.0/8' });
    const address = { host: '127.0.0.1', port: peer.port, unit_id: 1 };
    const words = /127\.0\.0\.1.*GATEWAY_NETWORKS/;
    for (const preset of ['sdm630', null]) {
      const { status, body } = await post(admin, '/gateways/test', { ...address, preset });
      expect(status).toBe(200);
      const [{ message, found }] = body.units;
      expect(message ?? found.failure.message).toMatch(words);
    }
    const at = `127.0.0.1:${peer.port}`;
    const told = await command('gateways', 'test', at, '--unit', '1', '--preset', 'sdm630');
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(words);
    const fields = { host: '127.0.0.1', port: String(peer.port), unit_id: '1' };
    expect((await send(admin, '/gateways/test', fields)).text).toMatch(words);
    expect(peer.connections).toBe(0);
  });

  test('where nobody listens, or that is silent, is told within one time-out each', async () => {
    await startProcess();
    const { port } = peer;
    peer.reply = () => {};
    const silent = { host: '127.0.0.1', port, unit_id: 1, preset: 'sdm630' };
    expect((await post(admin, '/gateways/test', silent)).body.units).toMatchObject([
      {
        outcome: 'FAILED',
        reason: 'TIMEOUT',
        message: expect.any(String),
        points: expect.any(Array),
      },
    ]);
    await peer.close();
    const { body } = await post(admin, '/gateways/test', { ...silent, preset: null });
    expect(body.units).toMatchObject([
      { outcome: null, found: { answers: false, failure: { reason: 'CONNECTION_REFUSED' } } },
    ]);
    peer = await startPeer();
  });

  test('that is none, or with a preset that is none, is refused before a worker is asked', async () => {
    const wrong = [
      [{ host: 'http://x', unit_id: 1 }, 'leave out the scheme'],
      [{ host: '169.254.169.254', unit_id: 1 }, '169.254.169.254'],
      [{ host: '127.0.0.1', unit_id: 1, preset: 'sdm63' }, 'did you mean sdm630?'],
    ] as const;
    for (const [address, words] of wrong) {
      const { status, body } = await post(admin, '/gateways/test', address);
      expect(status).toBe(422);
      expect(body.detail).toContain(words);
    }
    const unitless = await command('gateways', 'test', '127.0.0.1:502');
    expect(unitless).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--unit is missing'),
    });
    expect((await post(operator, '/gateways/test', { host: 'x', unit_id: 1 })).status).toBe(403);
    expect((await send(operator, '/gateways/test', { host: 'x', unit_id: '1' })).status).toBe(403);
  });
});

describe('a gateway that exists', () => {
  test('is tested with its own units and points over the socket of its walker, also while it is paused', async () => {
    await startShards(fleet, 1);
    await addGateways(fleet.db, [{ id: 'known', port: peer.port, intervalS: 1 }]);
    await startProcess();
    await untilSlots(fleet.db, 'known', 2);
    const answer = await post(operator, '/gateways/known/test');
    expect(answer).toMatchObject({
      status: 200,
      body: {
        port: peer.port,
        units: [{ unit_id: 1, preset: null, outcome: 'OK', points: [{ raw: '4366' }, {}, {}] }],
      },
    });
    // A second connection would be a second master.
    expect(peer.connections).toBe(1);
    const by = { actor: 'test', requestId: null };
    await pauseGateways({ db: fleet.db, by, at: new Date(), scope: allPlants }, ['known'], null);
    const page = await send(operator, '/gateways/known/test');
    expect(page.text).toMatch(/Test of 127\.0\.0\.1:\d+ unit 1:<\/b> ok, 3 of 3 points/);
    const { code, stdout } = await command('gateways', 'test', 'known', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ units: [{ outcome: 'OK' }] });
    const unknown = await command('gateways', 'test', 'nobody');
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no gateway nobody'),
    });
    expect((await post(operator, '/gateways/nobody/test')).status).toBe(404);
    expect((await send(operator, '/gateways/nobody/test')).status).toBe(404);
  });
});

describe('a test that cannot be', () => {
  test('says that no worker serves gateways, and that it took too long, in words', async () => {
    const address = { host: '127.0.0.1', port: peer.port, unit_id: 1, preset: 'sdm630' };
    const deps = { db: fleet.db, client: fleet.client };
    const late = await testAddress(deps, address, { presets, timeoutMs: 2_000 });
    expect(late).toEqual({ refusal: 'TEST_TOO_LONG', timeoutMs: 2_000 });
    const { status, body } = await post(admin, '/gateways/test', address);
    expect({ status, detail: body.detail }).toEqual({
      status: 503,
      detail: expect.stringContaining('No worker takes tasks of queue:poll:modbus') as string,
    });
    expect(peer.connections).toBe(0);
  });

  test('is refused while all polling is stopped', async () => {
    await addGateways(fleet.db, [{ id: 'halted', port: peer.port, intervalS: 60 }]);
    await startProcess();
    const by = { actor: 'ana@example.org', requestId: null };
    const halt = { by, reason: null, at: new Date() };
    await fleet.db.transaction().execute((trx) => beginHalt(trx, halt));
    try {
      const deps = { db: fleet.db, client: fleet.client };
      const known = await testKnownGateway(deps, 'halted', { scope: allPlants });
      expect(known).toMatchObject({ refusal: 'HALTED', by: 'ana@example.org' });
      const address = { host: '127.0.0.1', port: peer.port, unit_id: 1 };
      expect((await post(admin, '/gateways/test', address)).status).toBe(409);
      expect((await send(operator, '/gateways/halted/test')).text).toContain('is stopped since');
    } finally {
      await fleet.db.transaction().execute((trx) => liftHalt(trx, halt));
    }
  });
});
