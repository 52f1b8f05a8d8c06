import { beforeEach, describe, expect } from 'vitest';

import { openCredentials } from '../../../db/sealing.ts';
import { findAccounts, findCredentials } from '../../../db/plants/credentials.ts';
import { awayAddress } from '../../../test/support/command-fleet.ts';
import { cli, test } from '../../../test/support/test-commands.ts';
import { requireMasterKeys } from '../../../environment/config.ts';

let counter = 0;

beforeEach(() => {
  counter += 1;
});

describe('plants set', () => {
  test('changes the row, so that the loop looks again', async () => {
    const id = await cli.add();
    const { revision } = await cli.plantOf(id);
    const { code, stdout, stderr } = await cli.run([
      'plants',
      'set',
      id,
      '--interval',
      '300',
      '--customer-id',
      'noord',
      '--longitude=-3.5',
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `set ${id}\n` });
    expect(stderr).toContain('1 plant has no running loop');
    expect(await cli.plantOf(id)).toMatchObject({
      poll_interval_s: 300,
      customer_id: 'noord',
      longitude: -3.5,
      revision: revision + 1,
    });
  });

  test('sets DAYLIGHT where the place is known, and not where it is not', async () => {
    const id = await cli.add({ latitude: 52, longitude: 5 });
    await cli.run(['plants', 'set', id, '--status-profile', 'daylight']);
    expect((await cli.plantOf(id)).status_profile).toBe('DAYLIGHT');
    const refused = { code: 2, stderr: expect.stringContaining('latitude and longitude') };
    expect(await cli.run(['plants', 'set', id, '--latitude='])).toMatchObject(refused);
    const unknown = await cli.add();
    const daylight = ['plants', 'set', unknown, '--status-profile', 'DAYLIGHT'];
    expect(await cli.run(daylight)).toMatchObject(refused);
  });

  test('clears what may be empty', async () => {
    const id = await cli.add({ latitude: 1, longitude: 2 });
    await cli.run(['plants', 'set', id, '--latitude=', '--capacity-kw', '']);
    expect(await cli.plantOf(id)).toMatchObject({
      latitude: null,
      longitude: 2,
      installed_capacity_kw: null,
    });
  });

  test('keeps what it wrote where Temporal is away, and says when it will be seen', async () => {
    const id = await cli.add();
    const { code, stderr } = await cli.run(['plants', 'set', id, '--interval', '42'], {
      env: { TEMPORAL_ADDRESS: awayAddress },
    });
    expect(code).toBe(0);
    expect(stderr).toContain('within a minute');
    expect(await cli.plantOf(id)).toMatchObject({ poll_interval_s: 42 });
  }, 20_000);

  test('makes a plant ACTIVE whose documents are complete, and lifts no pause', async () => {
    const id = await cli.add({ active: false });
    expect((await cli.run(['plants', 'set', id, '--status', 'ACTIVE'])).code).toBe(0);
    expect((await cli.plantOf(id)).integration_status).toBe('ACTIVE');
    await cli.run(['plants', 'pause', id]);
    expect(await cli.run(['plants', 'set', id, '--status', 'ACTIVE'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`plants resume ${id}`),
    });
    expect((await cli.plantOf(id)).integration_status).toBe('DISABLED_BY_OPERATOR');
  });

  test.each([
    ['nothing to set', ['x']],
    ['one name for many plants', ['--brand', 'SOLIS', '--yes', '--name', 'X']],
    ['a zone that is none', ['x', '--timezone', 'Mars/Base']],
    ['a zone whose clock differs between Node and PostgreSQL', ['x', '--timezone', 'CET']],
    ['a status that only comes of what happens', ['x', '--status', 'PAUSED_AUTH_ERROR']],
  ])('is a wrong call with %s', async (_, args) => {
    expect((await cli.run(['plants', 'set', ...args])).code).toBe(2);
  });
});

describe('plants pause and resume', () => {
  test('stop polling until a time, and go on', async () => {
    const id = await cli.add();
    expect(
      await cli.run([
        'plants',
        'pause',
        id,
        '--until',
        '2099-01-01T00:00:00+01:00',
        '--reason',
        'roof works',
      ]),
    ).toMatchObject({ code: 0 });
    expect(await cli.plantOf(id)).toMatchObject({
      integration_status: 'DISABLED_BY_OPERATOR',
      paused_until: new Date('2098-12-31T23:00:00Z'),
      pause_reason: 'roof works',
    });
    const shown = (await cli.run(['plants', 'show', id])).stdout;
    const words = /Paused by cli:\S+ until 2099-01-01 00:00 UTC\+1: “roof works”\./;
    expect(shown).toMatch(words);
    for (const command of [
      ['plants', 'list'],
      ['why', id],
    ])
      expect((await cli.run(command)).stdout.replaceAll(/\s+/g, ' '), command[0]).toMatch(words);
    expect(await cli.run(['plants', 'resume', id])).toMatchObject({
      code: 0,
      stdout: `${id} resumed\n`,
    });
    expect(await cli.plantOf(id)).toMatchObject({
      integration_status: 'ACTIVE',
      paused_until: null,
      pause_reason: null,
    });
    expect(await cli.run(['plants', 'resume', id])).toMatchObject({
      code: 0,
      stdout: `${id} is ACTIVE already\n`,
    });
  });

  test("stop until a date of each plant's own calendar", async () => {
    const accountId = `zones-${counter}`;
    const west = await cli.add({ accountId, timezone: 'America/New_York' });
    const east = await cli.add({ accountId, timezone: 'Australia/Sydney' });
    const args = ['plants', 'pause', '--account', accountId, '--yes', '--until', '2099-01-01'];
    expect(await cli.run(args)).toMatchObject({
      code: 0,
      stdout: "2 plants paused until 2099-01-01 00:00 by the plant's clock\n",
    });
    const endOf = async (id: string) => (await cli.plantOf(id)).paused_until?.toISOString();
    expect(await endOf(west)).toBe('2099-01-01T05:00:00.000Z');
    expect(await endOf(east)).toBe('2098-12-31T13:00:00.000Z');
    expect(await cli.run(['plants', 'pause', 'nobody', '--until', '2099-01-01'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no plant nobody'),
    });
  });

  test('stop for a time from now', async () => {
    const id = await cli.add();
    const beforeMs = Date.now();
    expect((await cli.run(['plants', 'pause', id, '--until', '2h'])).code).toBe(0);
    const untilMs = (await cli.plantOf(id)).paused_until?.getTime() ?? 0;
    expect(untilMs - beforeMs).toBeGreaterThanOrEqual(7_200_000);
    expect(untilMs - Date.now()).toBeLessThanOrEqual(7_200_000);
  });

  test('leave a plant alone that waits for its documents, and say so', async () => {
    const id = await cli.add({ active: false });
    expect(await cli.run(['plants', 'resume', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PENDING_DOCS'),
    });
    expect(await cli.run(['plants', 'pause', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PENDING_DOCS'),
    });
    expect(await cli.plantOf(id)).toMatchObject({
      integration_status: 'PENDING_DOCS',
      revision: 1,
    });
  });

  test('take all plants of an account with --yes, and count those that stayed', async () => {
    const accountId = `shared-${counter}`;
    const first = await cli.add({ accountId });
    await cli.add({ accountId, active: false });
    const { code, stdout, stderr } = await cli.run([
      'plants',
      'pause',
      '--account',
      accountId,
      '--yes',
    ]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        '1 plant paused until it is resumed; 1 plant waits for documents and stayed as it is\n',
    });
    expect(stderr).toContain(`2 plants of account ${accountId} will be paused`);
    expect((await cli.plantOf(first)).integration_status).toBe('DISABLED_BY_OPERATOR');
  });

  test('change nothing without --yes where there is nobody to ask', async () => {
    const id = await cli.add({ accountId: `asked-${counter}` });
    expect((await cli.run(['plants', 'pause', '--account', `asked-${counter}`])).code).toBe(2);
    expect((await cli.plantOf(id)).integration_status).toBe('ACTIVE');
  });

  test.each([
    ['has passed', '2020-01-01T00:00:00Z'],
    ['names no zone', '2099-01-01T00:00:00'],
    ['is a date that has passed', '2020-01-01'],
    ['is a date that no calendar has', '2099-02-30'],
  ])('are wrong calls where the time %s', async (_, until) => {
    expect((await cli.run(['plants', 'pause', 'x', '--until', until])).code).toBe(2);
  });

  test.each(['pause', 'resume', 'poll', 'show'])('and %s tell an unknown plant', async (verb) => {
    expect(await cli.run(['plants', verb, 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no plant nobody'),
    });
  });
});

describe('plants credentials', () => {
  const canary = 'kX9-canary-Q2';
  const input = `keyId=130\nkeySecret=${canary}\n`;

  test('are sealed, lift the pause for refused ones and no other, and are never told', async () => {
    const accountId = `sealed-${counter}`;
    const refused = await cli.add({ accountId });
    const paused = await cli.add({ accountId });
    const pending = await cli.add({
      accountId,
      active: false,
    });
    await cli.fleet.db
      .updateTable('plants')
      .set({ integration_status: 'PAUSED_AUTH_ERROR' })
      .where('id', '=', refused)
      .execute();
    await cli.run(['plants', 'pause', paused]);
    const result = await cli.run(['plants', 'credentials', accountId, '--json'], { input });
    expect(JSON.parse(result.stdout)).toEqual({
      account_id: accountId,
      version: 2,
      resumed: [refused],
      active: 1,
      loops_told: 0,
    });
    const statuses = await Promise.all(
      [refused, paused, pending].map(async (id) => (await cli.plantOf(id)).integration_status),
    );
    expect(statuses).toEqual(['ACTIVE', 'DISABLED_BY_OPERATOR', 'PENDING_DOCS']);
    const stored = await findCredentials(cli.fleet.db, accountId);
    expect(
      stored === undefined ? null : openCredentials(requireMasterKeys(cli.fleet.config), stored),
    ).toEqual({ keyId: '130', keySecret: canary });
    expect(`${result.stdout}${result.stderr}`).not.toContain(canary);
  });

  test('of GoodWe are stored with the portal: SEMS_PLUS unless another is named', async () => {
    const accountId = `portal-${counter}`;
    await cli.add({
      brand: 'GOODWE',
      accountId,
      vendorPlantId: `00000000-0000-4000-8000-${String(counter).padStart(12, '0')}`,
    });
    const storedPortal = async (lines: string): Promise<string | undefined> => {
      const result = await cli.run(['plants', 'credentials', accountId], { input: lines });
      expect({ code: result.code, lines }).toEqual({ code: 0, lines });
      const stored = await findCredentials(cli.fleet.db, accountId);
      if (stored === undefined) throw new Error('nothing is stored');
      return openCredentials(requireMasterKeys(cli.fleet.config), stored)['portal'];
    };
    expect(await storedPortal('account=a\npassword=b\n')).toBe('SEMS_PLUS');
    expect(await storedPortal('account=a\npassword=b\nportal=SEMS\n')).toBe('SEMS');
    const wrong = await cli.run(['plants', 'credentials', accountId], {
      input: `account=a\npassword=b\nportal=${canary}\n`,
    });
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('portal must be SEMS or SEMS_PLUS'),
    });
    expect(wrong.stderr).not.toContain(canary);
  });

  test('with which no request can be made are refused, and nothing is resumed', async () => {
    const accountId = `foreign-${counter}`;
    const id = await cli.add({ accountId, brand: 'HUAWEI' });
    await cli.fleet.db
      .updateTable('plants')
      .set({ integration_status: 'PAUSED_AUTH_ERROR' })
      .where('id', '=', id)
      .execute();
    const before = await findCredentials(cli.fleet.db, accountId);
    const wrong = 'userName=u\nsystemCode=canary-code\nhost=https://eu5.fusionsolar.huawei.com\n';
    const result = await cli.run(['plants', 'credentials', accountId], { input: wrong });
    expect(result).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(
        "nothing was stored, because no request can be made with these credentials: the account's host is no sub-domain of fusionsolar.huawei.com",
      ),
    });
    expect(result.stderr).not.toContain('canary');
    expect(await findCredentials(cli.fleet.db, accountId)).toEqual(before);
    expect((await cli.plantOf(id)).integration_status).toBe('PAUSED_AUTH_ERROR');
  });

  test('that are missing keep plants paused, which resume says; refused ones are asked again', async () => {
    const keyless = `keyless-${counter}`;
    const ids = [await cli.add({ accountId: keyless }), await cli.add({ accountId: keyless })];
    const [refused, paused] = [await cli.add(), await cli.add()];
    const { db } = cli.fleet;
    await db.deleteFrom('integration_credentials').where('account_id', '=', keyless).execute();
    await db
      .updateTable('plants')
      .set({ integration_status: 'PAUSED_AUTH_ERROR' })
      .where('id', 'in', [...ids, refused])
      .execute();
    expect(await cli.run(['plants', 'resume', ids[0] ?? ''])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`account ${keyless} has no credentials yet`),
    });
    expect(await cli.run(['plants', 'resume', '--account', keyless, '--yes'])).toMatchObject({
      code: 0,
      stdout: `0 plants resumed; 2 plants stay paused: account ${keyless} has no credentials yet, and \`heliograph plants credentials ${keyless}\` stores some\n`,
    });
    expect((await cli.run(['plants', 'resume', refused])).stdout).toBe(
      `${refused}: the vendor is asked again with the credentials that it refused\n`,
    );
    await cli.run(['plants', 'pause', paused]);
    expect((await cli.run(['plants', 'resume', paused])).stdout).toBe(`${paused} resumed\n`);
  });

  test('that lack a field change nothing', async () => {
    const accountId = `lacking-${counter}`;
    await cli.add({ accountId });
    const result = await cli.run(['plants', 'credentials', accountId], {
      input: `keySecret=${canary}\n`,
    });
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('missing: keyId') });
    expect(result.stderr).not.toContain(canary);
    expect((await findCredentials(cli.fleet.db, accountId))?.version).toBe(1);
  });

  test('need an account and a master key', async () => {
    expect((await cli.run(['plants', 'credentials', 'nobody'], { input })).code).toBe(1);
    expect(
      (
        await cli.run(['plants', 'credentials', 'nobody'], {
          input,
          env: { MASTER_KEY_CURRENT: '' },
        })
      ).code,
    ).toBe(78);
    expect(await findAccounts(cli.fleet.db, ['nobody'])).toEqual([]);
  });
});

describe('demo break', () => {
  test('takes the vendor of a brand away until its time, and --off gives it back', async () => {
    const outages = () => cli.fleet.db.selectFrom('demo_outages').selectAll().execute();
    await cli.run(['demo', 'break', '--brand', 'dele', '--for', '90s']);
    const [outage] = await outages();
    expect(outage?.brand).toBe('DELE');
    const restMs = (outage?.until_at.getTime() ?? 0) - Date.now();
    expect(restMs).toBeGreaterThan(60_000);
    expect(restMs).toBeLessThan(90_000);
    await cli.run(['demo', 'break', '--brand', 'DELE', '--off']);
    expect(await outages()).toEqual([]);
  }, 20_000);

  test.each([
    [['--for', '3m']],
    [['--brand', 'DELE', '--for', '2h']],
    [['--brand', 'DELE', '--for', '3m', '--off']],
    [['--brand', 'ACME']],
  ])('%j is a wrong call', async (args) => {
    expect((await cli.run(['demo', 'break', ...args])).code).toBe(2);
  });

  test('is refused where real vendors could be meant', async () => {
    const args = ['demo', 'break', '--brand', 'DELE'];
    expect((await cli.run(args, { env: { INTEGRATION_MOCK_MODE: 'false' } })).code).toBe(78);
  });
});

describe('why', () => {
  test('tells the rule and what it was told', async () => {
    const id = await cli.add();
    expect(await cli.json(['why', id])).toMatchObject({
      plant_id: id,
      status: 'GREY',
      status_reason: 'WAITING_FOR_FIRST_READING',
      alerts: [],
      poll: null,
    });
    expect((await cli.run(['why', id])).stdout).toContain('never seen yet');
    expect((await cli.run(['why', id, '--at', '2020-01-01T00:00:00Z'])).stdout).toContain(
      'no period of the plant covers this time',
    );
  });

  test.each([
    [['why'], 2],
    [['why', 'none'], 1],
    [['why', 'none', '--at', '2099-01-01T00:00:00Z'], 2],
    [['why', 'none', '--at', 'noon'], 2],
  ])('%j ends with %d', async (args, code) => {
    expect((await cli.run(args)).code).toBe(code);
  });
});

describe('alerts ack and silence', () => {
  async function openAlert(id: string): Promise<number> {
    const row = await cli.fleet.db
      .insertInto('alerts')
      .values({
        plant_id: id,
        type: 'API_ERROR',
        vendor_alarm_code: 'POLL',
        severity: 'YELLOW',
        state: 'NEW',
        message: '3 polls in a row failed.',
        started_at: new Date(),
        last_seen_at: new Date(),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  }

  test('ack writes who and why, and lists it so', async () => {
    const id = await cli.add();
    const alertId = await openAlert(id);
    const { code, stdout } = await cli.run(['alerts', 'ack', `${alertId}`, '--comment', 'on it']);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: `alert ${alertId} of ${id} acknowledged until its cause ends\n`,
    });
    const acked = await cli.json(['alerts', 'list', '--plant', id, '--state', 'acked']);
    expect(acked).toMatchObject([
      { id: alertId, ack_comment: 'on it', acked_by: expect.stringMatching(/^cli:/) },
    ]);
  });

  test("ack and silence last until a date of the plant's calendar", async () => {
    const id = await cli.add({ timezone: 'Australia/Sydney' });
    const alertId = await openAlert(id);
    const at = '2098-12-31T13:00:00.000Z';
    const ack = ['alerts', 'ack', `${alertId}`, '--comment', 'on it', '--until', '2099-01-01'];
    expect(await cli.run(ack)).toMatchObject({
      code: 0,
      stdout: `alert ${alertId} of ${id} acknowledged until 2099-01-01 00:00 by the plant's clock\n`,
    });
    const acked = await cli.json(['alerts', 'list', '--plant', id, '--state', 'acked']);
    expect(acked).toMatchObject([{ id: alertId, acked_until: at }]);
    expect((await cli.run(['alerts', 'silence', id, '--until', '2099-01-01'])).code).toBe(0);
    expect((await cli.plantOf(id)).alerts_silenced_until?.toISOString()).toBe(at);
  });

  test('silence lasts until its time, and --off ends it', async () => {
    const id = await cli.add();
    const until = '2099-01-01T00:00:00.000Z';
    await cli.run(['alerts', 'silence', id, '--until', until, '--reason', 'roof work']);
    expect((await cli.plantOf(id)).alerts_silenced_until?.toISOString()).toBe(until);
    await openAlert(id);
    const words = /Alerts silenced by cli:\S+ until 2099-01-01 01:00 UTC\+1: “roof work”\./;
    for (const command of [
      ['plants', 'list'],
      ['plants', 'show', id],
      ['why', id],
      ['alerts', 'list', '--plant', id],
    ])
      expect((await cli.run(command)).stdout.replaceAll(/\s+/g, ' '), command.join(' ')).toMatch(
        words,
      );
    const silence = { alerts_silenced_until: until, alerts_silence_reason: 'roof work' };
    expect(await cli.json(['alerts', 'list', '--plant', id])).toMatchObject([silence]);
    expect(await cli.json(['why', id])).toMatchObject({ held: silence });
    expect((await cli.run(['alerts', 'silence', id, '--off'])).code).toBe(0);
    expect((await cli.run(['plants', 'show', id])).stdout).not.toContain('silenced');
    expect((await cli.plantOf(id)).alerts_silenced_until).toBeNull();
  });

  test.each([
    [['alerts', 'ack'], 2],
    [['alerts', 'ack', 'x', '--comment', 'c'], 2],
    [['alerts', 'ack', '1'], 2],
    [['alerts', 'ack', '987654321', '--comment', 'c'], 1],
    [['alerts', 'silence', 'x'], 2],
    [['alerts', 'silence', 'x', '--off', '--until', '2099-01-01T00:00:00Z'], 2],
    [['alerts', 'silence', 'x', '--until', '2020-01-01T00:00:00Z'], 2],
    [['alerts', 'list', '--all', '--history'], 2],
  ])('%j ends with %d', async (args, code) => {
    expect((await cli.run(args)).code).toBe(code);
  });
});

describe('plants remove', () => {
  test('asks, then takes the plant out of the lists and keeps its ledger', async () => {
    const id = await cli.add();
    expect((await cli.run(['plants', 'remove', id])).code).toBe(2);
    expect((await cli.run(['plants', 'remove', id], { typed: 'n\n' })).code).toBe(1);
    expect((await cli.plantOf(id)).removed_at).toBeNull();
    expect(await cli.run(['plants', 'remove', id], { typed: 'y\n' })).toMatchObject({
      code: 0,
      stdout: `${id} removed; the ledger is kept\n`,
    });
    expect((await cli.run(['plants', 'list'])).stdout).not.toContain(id);
    expect((await cli.run(['plants', 'list', '--removed'])).stdout).toContain(id);
    expect((await cli.run(['why', id])).stdout).toContain('(removed ');
    expect((await cli.run(['plants', 'show', id])).stdout).toContain('nothing polls it');
    const resumed = await cli.run(['plants', 'resume', id]);
    expect(resumed).toMatchObject({ code: 1, stderr: expect.stringContaining('was removed at') });
    const purged = await cli.run(['plants', 'remove', id, '--purge', '--yes']);
    expect(purged).toMatchObject({ code: 0, stdout: `${id} deleted, with 0 rows of the ledger\n` });
    expect((await cli.run(['plants', 'show', id])).code).toBe(1);
  });
});

describe('plants move', () => {
  test('lets the plant log in by another account', async () => {
    const id = await cli.add();
    const moved = await cli.run(['plants', 'move', id, '--account', `new-${counter}`]);
    expect(moved).toMatchObject({ code: 0, stdout: `${id} moved to account new-${counter}\n` });
    expect(moved.stderr).toContain(`heliograph plants credentials new-${counter}`);
    expect((await cli.plantOf(id)).vendor_account_id).toBe(`new-${counter}`);
    expect((await cli.run(['plants', 'move', 'nobody', '--account', 'x'])).code).toBe(1);
  });
});

describe('plants set --vendor-plant-id', () => {
  test("corrects the vendor's id of a plant that never answered, alone", async () => {
    const [id, other] = [await cli.add(), await cli.plantOf(await cli.add())];
    const set = (...flags: string[]) => cli.run(['plants', 'set', id, ...flags]);
    expect((await set('--vendor-plant-id', 'right')).stdout).toBe(
      `set ${id}: it is right at its vendor\n`,
    );
    expect((await cli.plantOf(id)).vendor_plant_id).toBe('right');
    expect((await set('--vendor-plant-id', 'x', '--name', 'Y')).code).toBe(2);
    const taken = await set('--vendor-plant-id', other.vendor_plant_id);
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining(other.id) });
    await cli.fleet.db
      .updateTable('plants')
      .set({ last_seen_at: new Date(), last_seen_source: 'VENDOR' })
      .where('id', '=', id)
      .execute();
    const late = await set('--vendor-plant-id', 'other');
    expect(late).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has answered as right'),
    });
  });
});
