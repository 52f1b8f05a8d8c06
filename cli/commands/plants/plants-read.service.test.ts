import { beforeEach, describe, expect } from 'vitest';

import type { PlantRow } from '../../../db/plants/plants.ts';
import { awayAddress } from '../../../test/support/command-fleet.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

let counter = 0;

beforeEach(() => {
  counter += 1;
});

describe('plants list, show and alerts list', () => {
  test('show a plant with its sentence, and in JSON every field of a list', async () => {
    const accountId = `listed-${counter}`;
    const id = await cli.add({ accountId });
    const [listed] = (await cli.json(['plants', 'list', '--account', accountId])) as Record<
      string,
      unknown
    >[];
    expect(listed).toMatchObject({
      id,
      status: 'GREY',
      status_reason: 'WAITING_FOR_FIRST_READING',
      status_sentence: expect.stringContaining('Waiting for the first reading'),
      stale: false,
      open_alerts: 0,
      today_energy_kwh: null,
      last_polled_at: null,
      vendor_account_id: accountId,
    });
    expect(await cli.json(['plants', 'show', id])).toMatchObject({
      ...listed,
      account: { id: accountId, has_credentials: true },
      next_slot: null,
      alerts: [],
      last_polls: [],
      days: [],
      workflow_id: `poll:plant:${id}:latest`,
      workflow_url: null,
    });
  });

  test('mark a plant as stale that was not polled for two intervals and a minute', async () => {
    const accountId = `stale-${counter}`;
    const id = await cli.add({ accountId, intervalS: 60 });
    const polledAt = (secondsAgo: number) =>
      cli.fleet.db
        .updateTable('plants')
        .set({ last_polled_at: new Date(Date.now() - secondsAgo * 1_000) })
        .where('id', '=', id)
        .execute();
    await polledAt(175);
    expect((await cli.run(['plants', 'list', '--account', accountId])).stdout).not.toContain(
      'not polled since',
    );
    await polledAt(181);
    expect((await cli.run(['plants', 'list', '--account', accountId])).stdout).toMatch(
      /^not polled since .*: GREY /m,
    );
  });

  test('tell times in the zone that the reader chose, and name it', async () => {
    const id = await cli.add();
    await cli.fleet.db
      .updateTable('plants')
      .set({ status_since: new Date('2026-06-01T22:05:00Z') })
      .where('id', '=', id)
      .execute();
    const since = async (args: string[], env: NodeJS.ProcessEnv = {}) =>
      /since (\S+ \S+ UTC\S*) \(/.exec(
        (await cli.run(['plants', 'show', id, ...args], { env })).stdout,
      )?.[1];
    expect(await since([])).toBe('2026-06-02 00:05 UTC+2');
    expect(await since(['--zone', 'utc'])).toBe('2026-06-01 22:05 UTC');
    expect(await since(['--zone', 'Asia/Kathmandu'])).toBe('2026-06-02 03:50 UTC+5:45');
    expect(await since([], { DISPLAY_ZONE: 'utc' })).toBe('2026-06-01 22:05 UTC');
    expect(await since(['--zone', 'plant'], { DISPLAY_ZONE: 'utc' })).toBe(
      '2026-06-02 00:05 UTC+2',
    );
    const wrong = await cli.run(['plants', 'list', '--zone', 'Mars']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('not Mars') });
    expect((await cli.run(['plants', 'list'], { env: { DISPLAY_ZONE: 'Mars' } })).code).toBe(78);
  });

  test('list the worst first, and of one status only where it is asked', async () => {
    const accountId = `worst-${counter}`;
    const ids = await Promise.all([1, 2, 3].map((n) => cli.add({ accountId, id: `worst-${n}` })));
    const [green, red, yellow] = ids;
    const set = (id: string | undefined, status: PlantRow['status']) =>
      cli.fleet.db
        .updateTable('plants')
        .set({ status })
        .where('id', '=', id ?? '')
        .execute();
    await Promise.all([set(green, 'GREEN'), set(red, 'RED'), set(yellow, 'YELLOW')]);
    const listed = (await cli.json(['plants', 'list', '--account', accountId])) as { id: string }[];
    expect(listed.map(({ id }) => id)).toEqual([red, yellow, green]);
    const yellows = (await cli.json([
      'plants',
      'list',
      '--account',
      accountId,
      '--status',
      'yellow',
    ])) as { id: string }[];
    expect(yellows.map(({ id }) => id)).toEqual([yellow]);
  });

  test('list below those with a cause of their own the plants whose brand does not answer', async () => {
    const { db } = cli.fleet;
    const accountId = `incident-${counter}`;
    const brand = 'DELE' as const;
    const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000);
    const failed = JSON.stringify({ outcome: 'FAILED', errorType: 'VENDOR_ERROR' });
    const add = async (id: string, set: Partial<PlantRow> = {}, alertType?: 'MOCK_FAULT') => {
      await cli.add({ id, accountId, brand, vendorPlantId: id });
      const { last_poll: _, devices: __, low_generation_streak: ___, ...columns } = set;
      await db
        .updateTable('plants')
        .set({ status: 'GREEN', status_since: at(60), last_poll: failed, ...columns })
        .where('id', '=', id)
        .execute();
      if (alertType === undefined) return;
      await db
        .insertInto('alerts')
        .values({
          plant_id: id,
          type: alertType,
          vendor_alarm_code: '1',
          severity: 'YELLOW',
          state: 'NEW',
          message: 'm',
          started_at: at(30),
          last_seen_at: at(30),
        })
        .execute();
    };
    await add('incident-green');
    await add('incident-red', { status: 'RED' });
    await add('own-fault', {}, 'MOCK_FAULT');
    await add('own-since', { status: 'YELLOW', status_since: at(7_200) });
    await add('answers');
    await db
      .updateTable('plants')
      .set({ last_poll: JSON.stringify({ outcome: 'OK', errorType: null }) })
      .where('id', '=', 'answers')
      .execute();
    await db
      .insertInto('brand_incidents')
      .values({
        brand,
        suspected_at: at(3_600),
        opened_at: at(3_300),
        sightings: 3,
        plants_failed: 4,
        plants_active: 5,
        errors: '{}',
      })
      .execute();
    const listed = (await cli.json(['plants', 'list', '--account', accountId])) as {
      id: string;
      incident_brand: string | null;
      status_sentence: string;
    }[];
    expect(listed.map(({ id }) => id)).toEqual([
      'own-since',
      'own-fault',
      'incident-red',
      'incident-green',
      'answers',
    ]);
    expect(listed.map((one) => one.incident_brand)).toEqual([brand, brand, brand, brand, null]);
    expect(listed[2]?.status_sentence).toMatch(/^Deye \(DELE\) not answering since /);
    expect(listed[4]?.status_sentence).not.toContain('not answering');
    await db.deleteFrom('brand_incidents').execute();
  });

  test('list open alerts, and resolved ones where they are asked', async () => {
    const id = await cli.add();
    const alert = {
      plant_id: id,
      severity: 'RED' as const,
      started_at: new Date('2026-06-01T10:00:00Z'),
      last_seen_at: new Date(),
      message: 'Arc fault.',
    };
    await cli.fleet.db
      .insertInto('alerts')
      .values([
        { ...alert, type: 'MOCK_FAULT', vendor_alarm_code: '1', state: 'NEW' },
        {
          ...alert,
          type: 'MOCK_FAULT',
          vendor_alarm_code: '2',
          state: 'RESOLVED',
          resolved_at: new Date(),
        },
      ])
      .execute();
    const open = (await cli.json(['alerts', 'list', '--plant', id])) as object[];
    expect(open).toEqual([
      expect.objectContaining({
        plant_id: id,
        state: 'NEW',
        vendor_alarm_code: '1',
        started_at: '2026-06-01T10:00:00.000Z',
      }),
    ]);
    expect(await cli.json(['alerts', 'list', '--plant', id, '--all'])).toHaveLength(2);
    expect(await cli.json(['alerts', 'list', '--plant', id, '--all', '--limit', '1'])).toHaveLength(
      1,
    );
    const text = async (limit: string) =>
      (await cli.run(['alerts', 'list', '--plant', id, '--all', '--limit', limit])).stdout;
    expect(await text('1')).toContain('1 alert, and there are more');
    expect(await text('2')).toContain('2 alerts. ');
    const [listed] = (await cli.json(['plants', 'list', '--account', `account-${id}`])) as object[];
    expect(listed).toMatchObject({ open_alerts: 1 });
  });

  test('name a missing table, and a database that is away, each with its code', async () => {
    const empty = Object.assign(new URL(cli.fleet.url), { pathname: '/postgres' }).href;
    expect(await cli.run(['plants', 'list'], { env: { DATABASE_URL: empty } })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('heliograph migrate'),
    });
    expect(
      (await cli.run(['plants', 'list'], { env: { DATABASE_URL: `postgres://${awayAddress}/x` } }))
        .code,
    ).toBe(69);
  });
});

describe('plants backfill', () => {
  const args = (id: string, ...more: string[]) => [
    'plants',
    'backfill',
    id,
    '--from',
    '2026-05-01',
    '--to',
    '2026-05-03',
    ...more,
  ];
  const written = (id: string) =>
    cli.fleet.db
      .selectFrom('metric_snapshots')
      .selectAll()
      .where('plant_id', '=', id)
      .orderBy('date')
      .execute();

  test('writes nothing in a dry run, not even that it asked', async () => {
    const id = await cli.add();
    const { code, stdout } = await cli.run(args(id, '--dry-run', '--json'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      dry_run: true,
      days: [{ date: '2026-05-01', old_energy_kwh: null, changed: true }, {}, {}],
      failure: null,
    });
    expect(await written(id)).toEqual([]);
    expect(
      await cli.fleet.db
        .selectFrom('snapshot_revisions')
        .selectAll()
        .where('plant_id', '=', id)
        .execute(),
    ).toEqual([]);
  });

  test("fills days of any age, on a person's word", async () => {
    const id = await cli.add();
    expect((await cli.run(args(id))).stdout).toContain('3 of 3 days changed');
    expect((await written(id)).map((day) => [day.date, day.quality])).toEqual(
      ['2026-05-01', '2026-05-02', '2026-05-03'].map((date) => [date, 'FINAL']),
    );
    const revisions = await cli.fleet.db
      .selectFrom('snapshot_revisions')
      .select('source')
      .where('plant_id', '=', id)
      .execute();
    expect(revisions).toEqual(['OPERATOR', 'OPERATOR', 'OPERATOR'].map((source) => ({ source })));
    expect((await cli.run(args(id))).stdout).toContain('0 of 3 days changed');
  });

  test('says what the vendor said instead of a series, and remembers no try in a dry run', async () => {
    const id = await cli.add({ vendorPlantId: `${9_000 + counter}` });
    expect(await cli.run(args(id, '--dry-run'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PLANT_NOT_FOUND'),
    });
    expect(
      await cli.fleet.db.selectFrom('day_gaps').selectAll().where('plant_id', '=', id).execute(),
    ).toEqual([]);
  });

  test.each([
    ['a day that is no date', ['--from', '2026-02-30', '--to', '2026-03-01']],
    ['an end before its beginning', ['--from', '2026-05-02', '--to', '2026-05-01']],
    ['more than a year', ['--from', '2024-05-02', '--to', '2026-05-01']],
    [
      'today',
      [
        '--from',
        '2026-05-02',
        '--to',
        new Date(Date.now() + 86_400_000).toISOString().slice(0, 10),
      ],
    ],
  ])('is a wrong call with %s', async (_, dates) => {
    const id = await cli.add();
    expect((await cli.run(['plants', 'backfill', id, ...dates])).code).toBe(2);
  });

  test('asks no vendor without mock mode', async () => {
    expect((await cli.run(args('x'), { env: { INTEGRATION_MOCK_MODE: 'false' } })).code).toBe(78);
  });
});
