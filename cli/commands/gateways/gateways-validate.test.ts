import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';

let folder = '';
let guide = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'validate-'));
  guide = await readFile(new URL('../../../fixtures/gateways/README.md', import.meta.url), 'utf8');
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('validating a file', () => {
  test('finds the example of the guide valid, and says what a poll costs', async () => {
    const [, example = ''] = /```json\n(\{\n {2}"id"[^`]*)```/.exec(guide) ?? [];
    const path = await fileOf('example.json', example);
    const { code, stdout } = await runTestCommand(['gateways', 'validate', path, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      problems: [],
      gateways: [
        {
          id: 'north-roof',
          problems: [],
          budget: {
            requests: expect.any(Number) as number,
            allowed_ms: 10_000,
            round_trip_ms: 100,
          },
        },
      ],
    });
    expect(code).toBe(0);
    expect((await runTestCommand(['gateways', 'validate', path])).stdout).toContain(
      'north-roof is valid: a poll has',
    );
  });

  test('tells all problems with their places, and fails', async () => {
    const path = await fileOf(
      'wrong.json',
      JSON.stringify({ id: 'A B', host: '10.0.0.1', unit_id: 300, preset: 'sma' }),
    );
    const { code, stdout } = await runTestCommand(['gateways', 'validate', path, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      gateways: [],
      problems: [{ path: 'id' }, { path: 'unit_id' }],
    });
  });

  test('names a budget that is too small', async () => {
    const points = Array.from({ length: 40 }, (_, index) => ({
      key: `p${index}`,
      function: 3,
      address: index * 500,
      type: 'uint16',
    }));
    const path = await fileOf(
      'slow.json',
      JSON.stringify({
        id: 'slow',
        host: '10.0.0.1',
        poll_interval_s: 10,
        priority: 'HIGH',
        unit_id: 1,
        points,
      }),
    );
    const { code, stdout } = await runTestCommand([
      'gateways',
      'validate',
      path,
      '--round-trip',
      '300',
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain('one poll needs 12 s: 40 requests × (300 ms round trip)');
  });

  test('says that a file is no JSON', async () => {
    const { code, stdout } = await runTestCommand([
      'gateways',
      'validate',
      await fileOf('text.json', 'id: north'),
    ]);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining('is no JSON') as string,
    });
  });

  test('decodes the capture of the guide', async () => {
    const [, capture = ''] = /```\n(# one poll[^`]*)```/.exec(guide) ?? [];
    const path = await fileOf('capture.txt', capture);
    const { stdout } = await runTestCommand([
      'gateways',
      'decode',
      '--preset',
      'sungrow-sg',
      '--unit',
      '1',
      path,
      '--json',
    ]);
    const { polls, problems } = JSON.parse(stdout) as {
      polls: { at: string; points: { key: string; value: number }[] }[];
      problems: unknown[];
    };
    expect(problems).toEqual([]);
    expect(
      polls.map(({ at, points }) => [at, points.find(({ key }) => key === 'ac_power_w')?.value]),
    ).toEqual([
      ['2026-06-01T12:00:00.000Z', 431],
      ['2026-06-01T12:01:00.000Z', 432],
    ]);
  });
});

describe('presets', () => {
  test('are listed, and shown with their points', async () => {
    expect((await runTestCommand(['gateways', 'presets'])).stdout).toMatch(
      /^PRESET .*\n(.*\n)*sungrow-sg +6 /,
    );
    const { stdout } = await runTestCommand(['gateways', 'presets', 'sdm630', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'sdm630',
      points: expect.arrayContaining([
        expect.objectContaining({ key: 'import_kwh', address: 72 }),
      ]) as unknown,
    });
    expect(await runTestCommand(['gateways', 'presets', 'sdm360'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('did you mean sdm630?') as string,
    });
  });
});
