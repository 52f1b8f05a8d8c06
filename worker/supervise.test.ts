import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { Restarts } from '../stack/restarts.ts';
import { supervise, type Supervised } from './supervise.ts';

/** A child that ends at once, a given time after the one before it. */
function dying(everyMs: number): { child: Supervised; ends: () => number } {
  let nowMs = 0;
  const restarts = new Restarts(() => (nowMs += everyMs));
  const child: Supervised = {
    command: 'worker',
    program: ['-e', 'process.exit(1)'],
    env: {},
    onStarted: () => {},
    allowAfterEnd: () => restarts.allowAfterEnd(),
    beforeRestart: async () => {},
  };
  return { child, ends: () => nowMs / everyMs };
}

describe('a child that ends by itself', () => {
  test('gives up at the fifth end within a minute', async () => {
    const { child, ends } = dying(14_000);
    const lines: string[] = [];
    await expect(
      supervise(child, new AbortController().signal, (line) => lines.push(line)),
    ).rejects.toThrow(
      'the worker ended with code 1, too often within a minute: see its lines above',
    );
    expect(ends()).toBe(5);
    expect(lines).toEqual(Array(4).fill('the worker ended with code 1 and is started again'));
  });

  test('is started again for ever when its ends lie further apart', async () => {
    const { child, ends } = dying(16_000);
    const stopping = new AbortController();
    const supervised = supervise(child, stopping.signal, () => {
      if (ends() === 7) stopping.abort();
    });
    await supervised;
    expect(ends()).toBe(7);
  });

  test('waits for what it needs before it is started again', async () => {
    const { child, ends } = dying(1_000);
    const stopping = new AbortController();
    const servers = Promise.withResolvers<void>();
    const waits: number[] = [];
    const supervised = supervise(
      { ...child, beforeRestart: () => servers.promise },
      stopping.signal,
      () => {
        waits.push(ends());
        if (ends() === 2) stopping.abort();
      },
    );
    await expect.poll(() => waits).toEqual([1]);
    await delay(300);
    expect(ends()).toBe(1);
    servers.resolve();
    await supervised;
    expect(waits).toEqual([1, 2]);
  });
});
