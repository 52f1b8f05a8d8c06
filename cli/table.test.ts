import { describe, expect, test } from 'vitest';

import { factsText, indented, right, tableText, textWidth } from './table.ts';

describe('a table', () => {
  const columns = ['PLANT', ...right('POWER'), 'WHY'];

  test('aligns words to the left and numbers to the right, and leaves no spaces at the ends', () => {
    const text = tableText(
      columns,
      [
        ['canal', '850 W', 'ok'],
        ['olive-press', '12.3 kW', ''],
      ],
      100,
    );
    expect(text).toBe(
      'PLANT          POWER  WHY\ncanal          850 W  ok\nolive-press  12.3 kW\n',
    );
  });

  test('wraps the last column at spaces, below itself, within the width', () => {
    const why = 'The vendor refuses the credentials of this account: store new ones.';
    const lines = tableText(columns, [['canal', '0 W', why]], 50)
      .trimEnd()
      .split('\n');
    expect(lines).toEqual([
      'PLANT  POWER  WHY',
      'canal    0 W  The vendor refuses the credentials',
      '              of this account: store new ones.',
    ]);
  });

  test('keeps a word whole that is longer than the line', () => {
    const link = `http://127.0.0.1:8233/${'x'.repeat(60)}`;
    expect(tableText(columns, [['canal', '', `see ${link}`]], 50)).toContain(link);
  });

  test('gives the last column 30 columns even where the others leave none', () => {
    const wide = tableText(columns, [['x'.repeat(90), '', 'a '.repeat(20).trim()]], 100);
    expect(wide.split('\n').filter((line) => line.includes('a a'))).toHaveLength(2);
  });

  test('paints a cell without shifting the next', () => {
    const cell = { text: 'RED', paint: (text: string) => `<${text}>` };
    const text = tableText(['STATUS', 'PLANT'], [[cell, 'canal']], 100);
    expect(text).toBe('STATUS  PLANT\n<RED>     canal\n');
  });

  test('shows what a terminal would obey as spaces', () => {
    const text = tableText(['A', 'B'], [['x\u001b[2Jy', 'one\ntwo\u202e']], 100);
    expect(text).toBe('A       B\nx [2Jy  one two\n');
  });

  test('counts two columns for Han and for pictures, one for a letter with its accent', () => {
    expect([textWidth('東京'), textWidth('☀️🌞'), textWidth('e\u0301'), textWidth('')]).toEqual([
      4, 3, 1, 0,
    ]);
  });
});

describe('facts', () => {
  test('stand one a line behind their names, without those that are null', () => {
    expect(
      indented(
        factsText([
          ['brand', 'SOLIS'],
          ['', 'more'],
          ['much longer, and unknown', null],
          ['last seen', 'never'],
        ]),
      ),
    ).toBe('  brand      SOLIS\n             more\n  last seen  never\n');
  });
});
