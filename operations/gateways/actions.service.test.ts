import { writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect } from 'vitest';

import { readSeries } from '../../db/gateways/readings.ts';
import { beginHalt, liftHalt } from '../../db/halts.ts';
import { findGateway, listGateways } from '../../db/gateways/gateways.ts';
import { decidePeriods, setDisabled } from '../../db/gateways/periods.ts';
import { answerRequest, listOpenRequests } from '../../db/gateways/requests.ts';
import { loadShard } from '../../db/gateways/walk.ts';
import { instant } from '../../db/database.ts';
import { allPlants } from '../../db/scope.ts';
import { runTestCommand } from '../../test/support/command-line.ts';
import { deleteGateways, testGateway } from '../../test/support/gateways.ts';
import { database, test } from '../../test/support/test-database.ts';
import {
  addGateways,
  changeGateway,
  type GatewayAct,
  pauseGateways,
  pollGateway,
  removeGateways,
  resumeGateways,
} from './actions.ts';

const startMs = Date.parse('2026-03-10T12:00:00Z');
const presets = new Map();
const act = (s = 0): GatewayAct => ({
  db: database.db,
  by: { actor: 'ana@example.com', requestId: null },
  at: instant(startMs + s * 1_000),
  scope: allPlants,
});
const draft = (id: string, over = {}) => testGateway(id, { port: 1502, ...over }).draft;

beforeEach(() => deleteGateways(database.db));

async function history(id: string) {
  const rows = await database.db
    .selectFrom('gateway_periods')
    .selectAll()
    .where('gateway_id', '=', id)
    .orderBy('from_at')
    .execute();
  return rows.map((row) => [
    row.reason,
    (row.from_at.getTime() - startMs) / 1_000,
    row.to_at === null ? null : (row.to_at.getTime() - startMs) / 1_000,
    row.interval_s,
  ]);
}
const actions = async () =>
  (
    await database.db
      .selectFrom('audit_log')
      .select(['action', 'subject_id'])
      .orderBy('id')
      .execute()
  ).map(({ action, subject_id }) => `${action} ${subject_id}`);

const ana = { actor: 'ana', requestId: null };

describe('periods', () => {
  test('follow what people, failures and the emergency stop decide, in this order', async () => {
    const { db } = database;
    await addGateways(act(), [draft('north')], { presets });
    await pauseGateways(act(10), ['north'], 'repair');
    await db
      .transaction()
      .execute((trx) =>
        setDisabled(trx, ['north'], { disabledAtMs: startMs, nowMs: startMs + 20_000 }),
      );
    await db
      .transaction()
      .execute((trx) =>
        beginHalt(trx, { by: 'ana', reason: null, at: new Date(startMs + 30_000) }),
      );
    // Paused goes before halted and disabled.
    expect(await history('north')).toEqual([
      ['ACTIVE', 0, 10, 10],
      ['PAUSED', 10, null, 10],
    ]);
    await db.updateTable('gateways').set({ is_active: true }).execute();
    await changeGateway(act(40), 'north', { pollIntervalS: 20 }, { presets });
    await db
      .transaction()
      .execute((trx) => liftHalt(trx, { by: 'ana', at: new Date(startMs + 50_000) }));
    expect((await findGateway(db, allPlants, 'north'))?.status).toBe('DISABLED');
    await resumeGateways(act(60), ['north']);
    await removeGateways(act(70), ['north']);
    expect(await history('north')).toEqual([
      ['ACTIVE', 0, 10, 10],
      ['PAUSED', 10, 40, 10],
      ['HALTED', 40, 50, 20],
      ['DISABLED', 50, 60, 20],
      ['ACTIVE', 60, 70, 20],
      ['REMOVED', 70, null, 20],
    ]);
    expect(await actions()).toEqual([
      'gateway.add north',
      'gateway.pause north',
      'gateway.set north',
      'gateway.resume north',
      'gateway.remove north',
    ]);
    expect(await listGateways(db, allPlants)).toEqual([]);
  });
});

describe('a walker', () => {
  test('reads its shard once, then only what has another revision or period', async () => {
    const { db } = database;
    await addGateways(act(), [draft('north'), draft('south')], { presets });
    const place = { shard: 0, shards: 1 };
    const known = { versions: new Map<string, string>(), maps: new Map() };
    const first = await loadShard(db, place, known);
    expect(first.changed.map(({ id }) => id)).toEqual(['north', 'south']);
    expect(first.changed[0]).toMatchObject({
      points: testGateway('north').points,
      period: { reason: 'ACTIVE', fromMs: startMs, intervalMs: 10_000 },
      state: { status: 'WAITING', disabledAtMs: null },
    });
    // Both share their list of points.
    expect(first.changed[0]?.points).toBe(first.changed[1]?.points);
    const versions = new Map(first.changed.map(({ id, version }) => [id, version]));
    const again = { ...known, versions };
    expect(await loadShard(db, place, again)).toEqual({ changed: [], goneIds: [] });
    await pauseGateways(act(5), ['south'], null);
    await removeGateways(act(6), ['north']);
    const news = await loadShard(db, place, again);
    expect(news.changed).toMatchObject([{ id: 'south', period: { reason: 'PAUSED' } }]);
    expect(news.goneIds).toEqual(['north']);
    // By SQL too, also of a unit.
    await db
      .updateTable('gateway_units')
      .set({ capacity_kw: 5 })
      .where('gateway_id', '=', 'south')
      .execute();
    const [south] = (
      await loadShard(
        db,
        place,
        { ...known, versions: new Map([['south', news.changed[0]?.version ?? '']]) },
        ['south'],
      )
    ).changed;
    expect(south?.units).toMatchObject([{ capacityKw: 5 }]);
  });

  test('answers a poll for all who wait for it', async () => {
    await addGateways(act(), [draft('north')], { presets });
    const waiting = [pollGateway(act(), 'north', 30_000), pollGateway(act(), 'north', 30_000)];
    const place = { shard: 0, shards: 1 };
    let open = await listOpenRequests(database.db, place);
    while (open.length === 0) open = await listOpenRequests(database.db, place);
    expect(open).toHaveLength(1);
    const answer = {
      outcome: 'OK',
      reason: null,
      message: null,
      read_at: '2026-03-10T12:00:00Z',
      points: [],
    };
    expect(await answerRequest(database.db, open[0]?.id ?? 0, answer)).toBe(true);
    expect(await answerRequest(database.db, open[0]?.id ?? 0, answer)).toBe(false);
    expect(await Promise.race(waiting)).toEqual({ answer });
    expect(await pollGateway(act(), 'away', 1)).toMatchObject({ refusal: 'UNKNOWN_GATEWAY' });
  });
});

test('all or nothing is added, with every problem', async () => {
  const wrong = [draft('north'), draft('north'), draft('south', { plantId: 'nowhere' })];
  expect(await addGateways(act(), wrong, { presets })).toMatchObject({
    refusal: 'NOT_VALID',
    problems: [
      { index: 1, path: 'id' },
      { index: 2, path: 'plant_id' },
    ],
  });
  expect(await listGateways(database.db, allPlants)).toEqual([]);
  await addGateways(act(), [draft('north')], { presets, dryRun: true });
  expect(await listGateways(database.db, allPlants)).toEqual([]);
});

test('commands: import with errors by line, list, export, pause, series', async () => {
  const run = (args: string[]) => runTestCommand(args, { env: { DATABASE_URL: database.url } });
  const folder = mkdtempSync(join(tmpdir(), 'gateways-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const header = 'id,host,unit_id,preset,poll_interval_s,priority\n';
  const bad = file(
    'bad.csv',
    `${header}roof,192.0.2.7,1,sdm630,10,HIGH\nhall,192.0.2.8,1,no-such,10,HIGH\nyard,192.0.2.9,300,sdm630,10,HIGH\n`,
  );
  const refused = await run(['gateways', 'import', bad]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/line 3: .*no-such/);
  expect(refused.stderr).toMatch(/line 4: unit_id/);
  const good = file('good.csv', `${header}roof,192.0.2.7,1,sdm630,10,HIGH\nroof,,2,sdm630,,\n`);
  expect(await run(['gateways', 'import', good, '--dry-run'])).toMatchObject({
    code: 0,
    stdout: 'would add 1 gateway; nothing was written\n',
  });
  expect(await run(['gateways', 'import', good])).toMatchObject({ code: 0 });
  expect(await run(['gateways', 'list'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/WAITING +roof +192\.0\.2\.7:502 +10 s/),
  });
  const exported = await run(['gateways', 'export']);
  expect(JSON.parse(exported.stdout)).toMatchObject({
    gateways: [{ id: 'roof', units: [{ unit_id: 1 }, { unit_id: 2 }] }],
  });
  expect(await run(['gateways', 'pause', 'roof', 'nobody', '--reason', 'repair'])).toMatchObject({
    code: 1,
    stdout: 'roof: paused\n',
    stderr: expect.stringContaining('there is no gateway nobody'),
  });
  expect(await run(['gateways', 'set', 'roof', '--interval', '20'])).toMatchObject({ code: 0 });
  expect((await run(['gateways', 'show', 'roof'])).stdout).toMatch(/every 20 s/);
  expect(await run(['gateways', 'points', 'roof'])).toMatchObject({ code: 0 });
  expect(await run(['gateways', 'readings', 'roof', '--csv'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^read_at,trigger/),
  });
  for (const bucket of ['raw', '5m', '15m', '1h', '1d'] as const)
    expect(
      await readSeries(
        database.db,
        'roof',
        { unitId: 1, key: 'x' },
        { fromMs: startMs, toMs: startMs + 1e8, bucket, limit: 10 },
      ),
    ).toEqual([]);
});
