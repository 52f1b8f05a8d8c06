import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';

import type { PlantRow } from '../../../db/plants/plants.ts';
import { ordinarySolis } from '../../../test/support/fleet.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

let folder: string;
let counter = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'heliograph-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  counter += 1;
});

const counts = async () =>
  cli.fleet.db
    .selectNoFrom((eb) => [
      eb.selectFrom('plants').select(eb.fn.countAll<number>().as('n')).as('plants'),
      eb.selectFrom('vendor_accounts').select(eb.fn.countAll<number>().as('n')).as('accounts'),
    ])
    .executeTakeFirstOrThrow();
const addArgs = (changed: Record<string, string> = {}) => [
  'plants',
  'add',
  ...Object.entries({
    id: `added-${counter}`,
    name: 'Added',
    brand: 'SOLIS',
    account: `account-${counter}`,
    'vendor-plant-id': ordinarySolis(2_000 + counter),
    timezone: 'Europe/Lisbon',
    ...changed,
  }).flatMap(([flag, value]) => [`--${flag}`, value]),
];

describe('plants add', () => {
  test('makes the plant and its account, which waits for credentials', async () => {
    const { code, stdout, stderr } = await cli.run(addArgs({ latitude: '-33.9', interval: '300' }));
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `added added-${counter}: PENDING_DOCS, every 300 s\n`,
    });
    expect(stderr).toContain(`heliograph plants credentials account-${counter}`);
    expect(await cli.plantOf(`added-${counter}`)).toMatchObject({
      latitude: -33.9,
      poll_interval_s: 300,
      integration_status: 'PENDING_DOCS',
    });
  });

  test('warns of what looks wrong, and adds the plant all the same', async () => {
    const { code, stderr } = await cli.run(addArgs({ 'capacity-kw': '5000' }));
    expect(code).toBe(0);
    expect(stderr).toContain('warning: capacity-kw is 5000, more than 1 MW');
    const shown = await cli.run(['plants', 'show', `added-${counter}`]);
    expect(shown.stdout).toContain('capacity-kw is 5000, more than 1 MW');
    const args = ['plants', 'set', `added-${counter}`];
    expect((await cli.run([...args, '--name', 'Other'])).stderr).not.toContain('warning');
    expect((await cli.run([...args, '--interval', '10'])).stderr).toContain(
      `warning: added-${counter}: interval is 10 s, and SOLIS renews its values every 5 min`,
    );
  });

  test('makes an ACTIVE plant where the account has credentials, at the interval of new plants', async () => {
    await cli.add({ accountId: `account-${counter}` });
    await cli.run(addArgs(), { env: { POLL_INTERVAL_SECONDS: '120' } });
    expect(await cli.plantOf(`added-${counter}`)).toMatchObject({
      integration_status: 'ACTIVE',
      poll_interval_s: 120,
    });
  });

  test('gives the status profile of new plants where the place is known, else STRICT', async () => {
    const env = { DEFAULT_STATUS_PROFILE: 'DAYLIGHT' };
    await cli.run(addArgs({ latitude: '52', longitude: '5' }), { env });
    expect(await cli.plantOf(`added-${counter}`)).toMatchObject({ status_profile: 'DAYLIGHT' });
    counter += 1;
    await cli.run(addArgs(), { env });
    expect(await cli.plantOf(`added-${counter}`)).toMatchObject({ status_profile: 'STRICT' });
    counter += 1;
    expect(await cli.run(addArgs({ 'status-profile': 'DAYLIGHT' }))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--status-profile is DAYLIGHT, which needs latitude'),
    });
  });

  test.each([
    ['an id that is there', (there: PlantRow) => ({ id: there.id }), 'is there already'],
    [
      'a vendor plant that is there',
      (there: PlantRow) => ({ 'vendor-plant-id': there.vendor_plant_id }),
      'is plant ',
    ],
    [
      'an account of another brand',
      (there: PlantRow) => ({ brand: 'DELE', account: there.vendor_account_id }),
      'is an account of SOLIS, not of DELE',
    ],
  ])('refuses %s and makes nothing, not even the account', async (_, clash, sentence) => {
    const there = await cli.plantOf(await cli.add());
    const before = await counts();
    const { code, stderr } = await cli.run(addArgs(clash(there)));
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
    expect(await counts()).toEqual(before);
  });

  test.each([
    ['an unknown brand', { brand: 'ACME' }],
    ['a zone that is none', { timezone: 'Mars/Base' }],
    ['a zone whose clock differs between Node and PostgreSQL', { timezone: 'CET' }],
    ['an interval of 0', { interval: '0' }],
    ['an interval of 1e9', { interval: '1e9' }],
  ])('is a wrong call with %s', async (_, changed) => {
    const before = await counts();
    expect((await cli.run(addArgs(changed))).code).toBe(2);
    expect(await counts()).toEqual(before);
  });
});

describe('plants import', () => {
  const header = 'id,name,brand,account,vendor_plant_id,timezone,interval';
  const row = (n: number) =>
    `imp-${counter}-${n},Imported,SOLIS,import-${counter},${ordinarySolis(3_000 + counter * 10 + n)},Europe/Lisbon,300`;
  const file = (...rows: string[]) => {
    const path = join(folder, `${counter}.csv`);
    writeFileSync(path, [header, ...rows, ''].join('\n'));
    return path;
  };

  test('adds all plants and their accounts', async () => {
    const result = (await cli.run(['plants', 'import', file(row(1), row(2)), '--json'])).stdout;
    expect(JSON.parse(result)).toEqual({
      dry_run: false,
      added: 2,
      active: 0,
      pending_docs: 2,
      new_accounts: [`import-${counter}`],
      errors: [],
      warnings: [],
    });
    expect(await cli.plantOf(`imp-${counter}-2`)).toMatchObject({
      poll_interval_s: 300,
      vendor_account_id: `import-${counter}`,
    });
  });

  test('writes nothing in a dry run, and says what it would', async () => {
    const before = await counts();
    const { code, stdout } = await cli.run(['plants', 'import', file(row(1), row(2)), '--dry-run']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'would add 2 plants: 0 ACTIVE, 2 PENDING_DOCS; nothing was written\n',
    });
    expect(await counts()).toEqual(before);
  });

  test('adds nothing where a single line is wrong, and tells every wrong line', async () => {
    const there = await cli.plantOf(await cli.add());
    const before = await counts();
    const path = file(
      row(1),
      row(2).replace(ordinarySolis(3_000 + counter * 10 + 2), there.vendor_plant_id),
      row(1).replace(`imp-${counter}-1`, 'other'),
      row(4).replace(/300$/, '0'),
      row(5).replace('Europe/Lisbon', 'EET'),
    );
    const { code, stdout } = await cli.run(['plants', 'import', path, '--json']);
    expect(code).toBe(1);
    const { errors } = JSON.parse(stdout) as {
      errors: { line: number; column: string; error: string }[];
    };
    expect(errors.map(({ line, column }) => [line, column])).toEqual([
      [3, 'vendor_plant_id'],
      [4, 'vendor_plant_id'],
      [5, 'interval'],
      [6, 'timezone'],
    ]);
    expect(await counts()).toEqual(before);
  });

  test.each([
    ['in a dry run', ['--dry-run']],
    ['without one', []],
  ])('tells an error once, also if the file and the database both object, %s', async (_, flags) => {
    const there = await cli.plantOf(await cli.add());
    const account = there.vendor_account_id;
    const path = file(
      row(1).replace(`import-${counter}`, account),
      row(2).replace(`import-${counter}`, account).replace('SOLIS', 'HUAWEI'),
      row(3).replace(`imp-${counter}-3`, there.id),
      row(3).replace(`imp-${counter}-3`, there.id),
    );
    const { code, stdout, stderr } = await cli.run(['plants', 'import', path, ...flags]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([
      `line 3: account ${account} is an account of SOLIS, not of HUAWEI`,
      `line 4: id ${there.id} is there already`,
      `line 5: id ${there.id} stands here a second time`,
      'heliograph: 3 errors: nothing was added',
    ]);
  });

  test.each([['--dry-run'], ['--json'], ['']])(
    'warns of what looks wrong by line: %s',
    async (flag) => {
      const path = join(folder, `${counter}-odd.csv`);
      writeFileSync(
        path,
        [
          `${header},latitude,longitude,capacity_kw`,
          `${row(1)},38.7,-9.1,10`,
          `${row(2)},47.4,107,10`,
          `${row(3)},-9.1,38.7,10`,
          `${row(4).replace(/300$/, '60')},38.7,-9.1,5000`,
        ].join('\n'),
      );
      const args = ['plants', 'import', path, ...(flag === '' ? [] : [flag])];
      const { code, stdout, stderr } = await cli.run(args);
      expect(code).toBe(0);
      const warned =
        flag === '--json'
          ? (JSON.parse(stdout) as { warnings: { line: number; column: string }[] }).warnings.map(
              ({ line, column }) => `${line}: ${column}`,
            )
          : [...stderr.matchAll(/^warning: line (\d+: \w+) is/gm)].map(([, where]) => where);
      expect(warned).toEqual(['3: longitude', '4: latitude', '5: capacity_kw', '5: interval']);
      if (flag !== '--json') expect(stderr).toContain('the two look swapped');
    },
  );

  test('takes more plants than one statement has parameters for', async () => {
    const rows = Array.from(
      { length: 6_000 },
      (_, n) => `many-${n},Many,SOLIS,many,${ordinarySolis(50_000 + n)},Europe/Lisbon,300`,
    );
    expect((await cli.run(['plants', 'import', file(...rows)])).code).toBe(0);
    expect((await cli.run(['plants', 'import', file(...rows)])).stderr).toContain(
      'heliograph: 6000 errors: nothing was added',
    );
    await cli.fleet.db.deleteFrom('plants').where('vendor_account_id', '=', 'many').execute();
  });
});
