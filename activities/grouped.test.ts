import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { grouped } from './grouped.ts';

/** A run that keeps what it was asked, and answers when it is told to. */
function openRun() {
  const asked: (readonly number[])[] = [];
  const landings: { land: () => void; fail: (error: Error) => void }[] = [];
  const run = (items: readonly number[]) =>
    new Promise<number[]>((resolve, reject) => {
      asked.push(items);
      landings.push({ land: () => resolve(items.map((item) => item * 10)), fail: reject });
    });
  return { asked, landings, run };
}

/** Longer than any linger of these tests by far. */
const settled = () => delay(50);

describe('calls that come together', () => {
  test('go as one, and each has its own answer', async () => {
    const { asked, landings, run } = openRun();
    const ask = grouped(run, { sizeMax: 10, flightsMax: 2 });
    const answers = Promise.all([ask(1, 5), ask(2, 5), ask(3, 5)]);
    await settled();
    landings[0]?.land();
    expect(await answers).toEqual([10, 20, 30]);
    expect(asked).toEqual([[1, 2, 3]]);
  });

  test('leave when the most impatient of them does', async () => {
    const { asked, landings, run } = openRun();
    const ask = grouped(run, { sizeMax: 10, flightsMax: 2 });
    const answers = Promise.all([ask(1, 60_000), ask(2, 0)]);
    await settled();
    expect(asked).toEqual([[1, 2]]);
    landings[0]?.land();
    expect(await answers).toEqual([10, 20]);
  });

  test('gather while as many runs are out as may be, and none is forgotten or asked twice', async () => {
    const { asked, landings, run } = openRun();
    const ask = grouped(run, { sizeMax: 10, flightsMax: 2 });
    const first = ask(1, 0);
    await settled();
    const second = ask(2, 0);
    await settled();
    const others = [3, 4, 5].map((item) => ask(item, 0));
    await settled();
    expect(asked).toEqual([[1], [2]]);
    landings[0]?.land();
    expect(await first).toBe(10);
    await settled();
    expect(asked).toEqual([[1], [2], [3, 4, 5]]);
    landings[2]?.land();
    landings[1]?.land();
    expect(await Promise.all([second, ...others])).toEqual([20, 30, 40, 50]);
  });

  test('are no more than a run takes; the rest goes with the next', async () => {
    const { asked, landings, run } = openRun();
    const ask = grouped(run, { sizeMax: 2, flightsMax: 2 });
    const answers = Promise.all([1, 2, 3].map((item) => ask(item, 5)));
    await settled();
    for (const { land } of landings) land();
    expect(await answers).toEqual([10, 20, 30]);
    expect(asked).toEqual([[1, 2], [3]]);
  });

  test('share an error, and the next ones go all the same', async () => {
    const { landings, run } = openRun();
    const ask = grouped(run, { sizeMax: 10, flightsMax: 1 });
    const failing = Promise.allSettled([ask(1, 0), ask(2, 0)]);
    await settled();
    const next = ask(3, 0);
    landings[0]?.fail(new Error('away'));
    expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await settled();
    landings[1]?.land();
    expect(await next).toBe(30);
  });

  test('that are answered by too few are told so', async () => {
    const ask = grouped(async (items: readonly number[]) => items.slice(1), {
      sizeMax: 10,
      flightsMax: 1,
    });
    await expect(Promise.all([ask(1, 0), ask(2, 0)])).rejects.toThrow(
      '2 were asked together and 1',
    );
  });
});
