import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { createTestIo } from '../test/support/command-line.ts';
import {
  durationMs,
  instant,
  noPositionals,
  onePositional,
  readInputFile,
  requireFlag,
} from './arguments.ts';
import { parseCommand } from './command.ts';

function call(...args: string[]) {
  const command = { name: 'test', usage: 'ID', flags: ['until', 'at'], run: async () => {} };
  const context = parseCommand(command, args, createTestIo().io);
  if (context === 'HELP') throw new Error('help was asked');
  return context;
}
const wrongCall = (message: string) =>
  expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) });

describe('positionals', () => {
  test('are one where a command needs one, and none where it needs none', () => {
    expect(onePositional(call('canal'), 'name one')).toBe('canal');
    noPositionals(call(), 'name none');
    expect(() => onePositional(call(), 'name one')).toThrow(wrongCall('name one\nusage:'));
    expect(() => onePositional(call('a', 'b'), 'name one')).toThrow(wrongCall('name one'));
    expect(() => noPositionals(call('a'), 'name none')).toThrow(wrongCall('name none'));
  });
});

describe('the value of a flag', () => {
  test('is an instant with its zone', () => {
    const at = requireFlag(call('--at', '2026-12-01T07:00:00+01:00'), 'at', instant);
    expect(at.toISOString()).toBe('2026-12-01T06:00:00.000Z');
  });

  test('is refused by the name of its flag if it is missing or wrong', () => {
    expect(() => requireFlag(call(), 'at', instant)).toThrow(wrongCall('--at is missing'));
    for (const text of ['2026-12-01T06:00:00', 'tomorrow'])
      expect(() => requireFlag(call('--at', text), 'at', instant)).toThrow(
        wrongCall(`--at must be a time with its zone, such as 2026-12-01T06:00:00Z, not ${text}`),
      );
  });

  test('is a duration with its unit', () => {
    expect(['90s', '3m', '2h', '5d'].map(durationMs)).toEqual([
      90_000, 180_000, 7_200_000, 432_000_000,
    ]);
    expect(['0h', '2', 'h', '2 h', '-2h', '2w', ''].map(durationMs)).toEqual(Array(7).fill(null));
  });
});

describe('a file that a person names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-arguments-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is read up to the limit', async () => {
    const path = join(folder, 'four');
    writeFileSync(path, 'abcd');
    expect((await readInputFile(path)).toString()).toBe('abcd');
    expect((await readInputFile(path, 3)).toString()).toBe('abc');
  });

  test('that is absent fails with its name and the reason', async () => {
    await expect(readInputFile(join(folder, 'none'))).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(/none cannot be read \(ENOENT\)$/),
    });
  });
});
