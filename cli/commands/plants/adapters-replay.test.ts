import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));
const replay = async (file: string, ...more: string[]) => {
  const result = await runTestCommand([
    'adapters',
    'replay',
    '--brand',
    'SOLIS',
    '--now',
    '2026-06-11T12:00:00Z',
    '--timezone',
    'Europe/Amsterdam',
    ...more,
    file,
  ]);
  return {
    ...result,
    json: result.stdout === '' ? null : (JSON.parse(result.stdout) as Record<string, unknown>),
  };
};

describe('adapters replay', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-replay-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('prints what the adapter makes of the answers, in snake_case, without any service', async () => {
    const { code, json, stderr } = await replay(fixture('solis/ordinary-day.json'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(json).toMatchObject({
      brand: 'SOLIS',
      now: '2026-06-11T12:00:00.000Z',
      summary: {
        today_energy_kwh: expect.any(Number),
        power_w: expect.any(Number),
        last_seen_at: expect.any(String),
        devices: expect.any(Array),
      },
      days: expect.any(Array),
      alarms: { alarms: [], complete: true },
    });
  });

  test('fails with the type of the error where the summary is one', async () => {
    const { code, json } = await replay(fixture('solis/html-instead-of-json.json'));
    expect(code).toBe(1);
    expect(json).toMatchObject({ summary: { error: { type: 'INVALID_DATA_FORMAT' } } });
  });

  test('prints an error of every call for a file that is no recording', async () => {
    const file = join(folder, 'no.json');
    writeFileSync(file, '{"exchanges": []}');
    const { code, json } = await replay(file);
    expect(code).toBe(1);
    expect(json).toMatchObject({
      vendor_plant_id: null,
      summary: { error: { type: 'NO_RECORDING' } },
      days: { error: { type: 'NO_RECORDING' } },
    });
  });

  test('says that a file cannot be read', async () => {
    const { code, stderr } = await replay(join(folder, 'missing.json'));
    expect(code).toBe(1);
    expect(stderr).toContain('cannot be read (ENOENT)');
  });

  test.each([
    ['an unknown brand', ['--brand', 'ACME']],
    ['a time without its zone', ['--now', '2026-06-11T12:00:00']],
    ['a zone that is none', ['--timezone', '+02:00']],
    ['two files', ['other.json']],
  ])('is a wrong call with %s', async (_, more) => {
    expect((await replay(fixture('solis/ordinary-day.json'), ...more)).code).toBe(2);
  });
});
