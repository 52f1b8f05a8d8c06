import { expect, test } from 'vitest';

import { csvText } from './csv.ts';

const cellOf = (text: string): string | undefined => csvText(['a'], [{ a: text }]).split('\r\n')[1];

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  [' =1+1', "' =1+1"],
  ['\t=1+1', "'\t=1+1"],
  ['＝1+1', "'＝1+1"],
  ['＋1', "'＋1"],
  ['－1', "'－1"],
  ['＠SUM(A1)', "'＠SUM(A1)"],
  ['roof;=1+1', "roof;'=1+1"],
  ['roof; =1+1;＠x', "roof;' =1+1;'＠x"],
  ['=a;b', "'=a;b"],
])('%j is no formula, in any column that a spreadsheet makes of it', (text, cell) => {
  expect(cellOf(text)).toBe(cell);
});

test.each(['roof', 'roof; east', 'a-b', '3 = 3', 'GREEN since 10:00'])(
  '%j stays as it is',
  (text) => {
    expect(cellOf(text)).toBe(text);
  },
);
