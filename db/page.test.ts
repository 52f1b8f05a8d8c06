import { describe, expect, test } from 'vitest';

import { cutPage, readPage } from './page.ts';

/** A list of so many rows, which answers as a database does. */
const listOf = (length: number) => async (rows: number) =>
  Array.from({ length }, (_, n) => n + 1).slice(0, rows);

describe('a page of 3', () => {
  test.each([
    ['no row', 0, [], null],
    ['one row less than its limit', 2, [1, 2], null],
    ['exactly its limit', 3, [1, 2, 3], null],
    ['one row more than its limit', 4, [1, 2, 3], 3],
    ['many rows more', 400, [1, 2, 3], 3],
  ])('of a list of %s says where the next one begins', async (_, length, rows, nextAfter) => {
    expect(await readPage(3, listOf(length))).toEqual({ rows, nextAfter });
  });

  test('reads one row more and no other', async () => {
    const asked: number[] = [];
    await readPage(3, async (rows) => {
      asked.push(rows);
      return [];
    });
    expect(asked).toEqual([4]);
  });

  test('is cut from rows at hand in the same way', () => {
    expect(cutPage([1, 2, 3], 3)).toEqual({ rows: [1, 2, 3], nextAfter: null });
    expect(cutPage([1, 2, 3, 4], 3)).toEqual({ rows: [1, 2, 3], nextAfter: 3 });
  });
});
