import { expect, test } from 'vitest';

import { waitAtLeast } from './wait.ts';

const { signal } = new AbortController();

test('no wait ends before its time, on the clock that slots are told by', async () => {
  const early: number[] = [];
  await Promise.all(
    Array.from({ length: 400 }, async (_, n) => {
      // Timers of the same event loop's turn, begun at different fractions of a millisecond.
      await new Promise((resolve) => setTimeout(resolve, n / 4));
      const slotMs = Date.now() + 1 + (n % 40);
      await waitAtLeast(slotMs - Date.now(), signal);
      if (Date.now() < slotMs) early.push(slotMs - Date.now());
    }),
  );
  expect(early).toEqual([]);
});

test('nothing is waited for where the time has come', async () => {
  await waitAtLeast(0, signal);
  await waitAtLeast(-5, signal);
});

test('an abort ends it with its reason, at once', async () => {
  const abort = new AbortController();
  const waiting = waitAtLeast(60_000, abort.signal);
  const reason = new Error('the worker stops');
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(waitAtLeast(0, abort.signal)).rejects.toBe(reason);
});
