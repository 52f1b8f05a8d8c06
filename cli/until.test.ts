import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createTestIo } from '../test/support/command-line.ts';
import { parseCommand } from './command.ts';
import { readUntil } from './until.ts';

function until(...args: string[]) {
  const command = { name: 'test', usage: 'ID', flags: ['until'], run: async () => {} };
  const context = parseCommand(command, args, createTestIo().io);
  if (context === 'HELP') throw new Error('help was asked');
  return readUntil(context);
}
const wrongCall = (message: RegExp) =>
  expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message) });

describe('--until', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-11-30T12:00:00Z'), toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('may be absent', () => {
    expect(until()).toBeNull();
  });

  test.each([
    ['2h', '2026-11-30T14:00:00.000Z'],
    ['30m', '2026-11-30T12:30:00.000Z'],
    ['3d', '2026-12-03T12:00:00.000Z'],
    ['2026-12-01T07:00:00+01:00', '2026-12-01T06:00:00.000Z'],
  ])('%s is the same instant everywhere', (text, at) => {
    const read = until('--until', text);
    expect(read?.instant?.toISOString()).toBe(at);
    expect(read?.in('Australia/Sydney').toISOString()).toBe(at);
    expect(read).toMatchObject({ json: at, words: `until ${at}` });
  });

  test.each([
    ['2026-12-01', 'Europe/Amsterdam', '2026-11-30T23:00:00.000Z'],
    ['2026-12-01', 'Australia/Sydney', '2026-11-30T13:00:00.000Z'],
    ['2026-12-01', 'America/New_York', '2026-12-01T05:00:00.000Z'],
  ])("%s is by the plant's clock: in %s at %s", (text, zone, at) => {
    const read = until('--until', text);
    expect(read?.instant).toBeNull();
    expect(read?.in(zone).toISOString()).toBe(at);
  });

  test('says what a date means', () => {
    expect(until('--until', '2026-12-01')).toMatchObject({
      json: '2026-12-01',
      words: "until 2026-12-01 00:00 by the plant's clock",
    });
  });

  test.each(['2h ago', '0h', '2026-02-30', '2026-12-01T08:30:00', 'tomorrow', '12', '2026-12'])(
    'is refused: %s',
    (text) => {
      expect(() => until('--until', text)).toThrow(
        wrongCall(/^--until must be a time from now .*, not /),
      );
    },
  );

  test('is refused when it has passed, a date where it has passed', () => {
    expect(() => until('--until', '2026-11-30T11:59:59Z')).toThrow(wrongCall(/has passed/));
    vi.setSystemTime(Date.parse('2026-11-30T13:00:00Z'));
    const december = until('--until', '2026-12-01');
    expect(() => december?.in('Australia/Sydney')).toThrow(
      wrongCall(/^--until 2026-12-01 has passed \(it was 2026-11-30T13:00:00\.000Z\)/),
    );
    expect(december?.in('Europe/Amsterdam').toISOString()).toBe('2026-11-30T23:00:00.000Z');
  });
});
