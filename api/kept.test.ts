import { expect, test } from 'vitest';

import { keptFor } from './kept.ts';

test('all who ask while it is read, and shortly after, get one reading', async () => {
  let reads = 0;
  const read = keptFor(60_000, async () => (reads += 1));
  expect(await Promise.all([read(), read()])).toEqual([1, 1]);
  expect(await read()).toBe(1);
});

test('an old reading is read again', async () => {
  let reads = 0;
  const read = keptFor(-1, async () => (reads += 1));
  await read();
  expect(await read()).toBe(2);
});

test('a failure is told and not kept', async () => {
  let reads = 0;
  const read = keptFor(60_000, async () => {
    reads += 1;
    if (reads === 1) throw new Error('away');
    return reads;
  });
  await expect(read()).rejects.toThrow('away');
  expect(await read()).toBe(2);
});
