import { describe, expect, test } from 'vitest';

import { createTestIo } from '../test/support/command-line.ts';
import {
  energyCell,
  outputWidth,
  powerCell,
  secondsCell,
  statusPaint,
  timeCell,
} from './render.ts';
import { counted } from '../domain/wording.ts';

describe('colour', () => {
  const paintAt = (terminal: Parameters<typeof createTestIo>[0]) =>
    statusPaint(createTestIo(terminal).io)('RED', 'RED');

  test('is shown at a terminal', () => {
    expect(paintAt({ columns: 80 })).toBe('\u001b[31mRED\u001b[39m');
  });

  test('is not shown in a pipe, nor where NO_COLOR is set, nor at a dumb terminal', () => {
    expect(paintAt({})).toBe('RED');
    expect(paintAt({ columns: 80, env: { NO_COLOR: '1' } })).toBe('RED');
    expect(paintAt({ columns: 80, env: { TERM: 'dumb' } })).toBe('RED');
  });

  test('is shown where NO_COLOR is empty, which counts as not set', () => {
    expect(paintAt({ columns: 80, env: { NO_COLOR: '' } })).toContain('\u001b[31m');
  });
});

describe('width', () => {
  test("is the terminal's, and 100 where there is none", () => {
    expect(outputWidth(createTestIo({ columns: 72 }).io)).toBe(72);
    expect(outputWidth(createTestIo().io)).toBe(100);
    expect(outputWidth(createTestIo({ columns: 0 }).io)).toBe(100);
  });
});

describe('values', () => {
  test('tell what is not known from 0', () => {
    expect([powerCell(null), powerCell(0), energyCell(null), energyCell(0)]).toEqual([
      '–',
      '0 W',
      '–',
      '0.0 kWh',
    ]);
  });

  test('tell times by the clock of a zone, which they name', () => {
    const at = new Date('2026-06-01T22:05:07Z');
    expect(timeCell(at, 'Asia/Kathmandu')).toBe('2026-06-02 03:50 UTC+5:45');
    expect(secondsCell(at, 'Asia/Kathmandu')).toBe('2026-06-02 03:50:07 UTC+5:45');
    expect(timeCell(null, 'Asia/Kathmandu')).toBe('–');
  });

  test('count in words that agree', () => {
    expect([
      counted(0, 'plant'),
      counted(1, 'plant'),
      counted(2, 'plant is', 'plants are'),
    ]).toEqual(['0 plants', '1 plant', '2 plants are']);
  });
});
