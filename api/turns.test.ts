import { expect, test } from 'vitest';

import { createTurns } from './turns.ts';

/** Work that ends when the test says so, and a record of what began. */
function workbench(limits: Partial<Parameters<typeof createTurns>[0]> = {}) {
  const inTurn = createTurns({
    atOnce: 2,
    waitingMax: 6,
    waitingMaxOfKey: 4,
    busy: 'Too many.',
    ...limits,
  });
  const began: string[] = [];
  const running: (() => void)[] = [];
  let mostAtOnce = 0;
  const ask = (key: string, name: string): Promise<string> =>
    inTurn(key, async () => {
      began.push(name);
      await new Promise<void>((end) => {
        running.push(end);
        mostAtOnce = Math.max(mostAtOnce, running.length);
      });
      return name;
    }).catch((error: { status: number }) => String(error.status));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    began,
    ask,
    settle,
    async endOne() {
      running.shift()?.();
      await settle();
    },
    async endAll() {
      while (running.length > 0) await this.endOne();
    },
    mostAtOnce: () => mostAtOnce,
  };
}

test('a few run at once, the others follow in order, and nobody is forgotten', async () => {
  const bench = workbench();
  const names = ['1', '2', '3', '4', '5', '6'];
  const all = Promise.all(names.map((name) => bench.ask('a', name)));
  await bench.settle();
  expect(bench.began).toEqual(['1', '2']);
  await bench.endAll();
  expect(await all).toEqual(names);
  expect(bench.began).toEqual(names);
  expect(bench.mostAtOnce()).toBe(2);
});

test('keys are served in rotation: the second key does not wait for the whole line of the first', async () => {
  const bench = workbench({ waitingMax: 20, waitingMaxOfKey: 20 });
  const all = Promise.all([
    ...['a1', 'a2', 'a3', 'a4', 'a5', 'a6'].map((name) => bench.ask('a', name)),
    bench.ask('b', 'b1'),
  ]);
  await bench.settle();
  await bench.endOne();
  await bench.endOne();
  expect(bench.began).toEqual(['a1', 'a2', 'a3', 'b1']);
  await bench.endAll();
  await all;
});

test('a line that is full refuses with 429, and takes the next when there is room', async () => {
  const bench = workbench();
  const all = Promise.all(Array.from({ length: 8 }, (_, index) => bench.ask('a', `a${index + 1}`)));
  await bench.settle();
  await bench.endAll();
  expect(await all).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6', '429', '429']);
  const after = bench.ask('a', 'later');
  await bench.settle();
  await bench.endAll();
  expect(await after).toBe('later');
});

test('when all is full, the newest of the longest line makes room for another key', async () => {
  const bench = workbench({ atOnce: 1, waitingMax: 4 });
  const crowd = ['a0', 'a1', 'a2', 'a3', 'a4'].map((name) => bench.ask('a', name));
  const other = bench.ask('b', 'b1');
  await bench.settle();
  await bench.endAll();
  expect(await Promise.all(crowd)).toEqual(['a0', 'a1', 'a2', 'a3', '429']);
  expect(await other).toBe('b1');
});

test('work that fails gives its place on', async () => {
  const inTurn = createTurns({ atOnce: 1, waitingMax: 1, waitingMaxOfKey: 1, busy: '' });
  const failing = inTurn('a', async () => {
    throw new Error('it failed');
  });
  const following = inTurn('a', async () => 'done');
  await expect(failing).rejects.toThrow('it failed');
  expect(await following).toBe('done');
});
