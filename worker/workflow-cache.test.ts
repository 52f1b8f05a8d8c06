import { afterEach, describe, expect, test } from 'vitest';

import { loadConfig } from '../environment/config.ts';
import { cacheSize, heapProblem, type Machine } from './workflow-cache.ts';

const gb = 1024 ** 3;
const machine = (memoryGb: number, heapLimit = 4 * gb): Machine => ({
  memory: memoryGb * gb,
  heapLimit,
});
const sized = (text: string) => loadConfig({ MAX_CACHED_WORKFLOWS: text });

describe('the cache of a worker', () => {
  test.each([
    ['2 GB hold', 2, 2_000],
    ['a container of 512 MB may still hold', 0.5, 2_000],
    ['6 GB hold a quarter of 20,000 plants,', 6, 5_100],
    ['24 GB hold', 24, 23_700],
  ])('of a queue: %s', (_, memoryGb, perQueue) => {
    expect(cacheSize({ MAX_CACHED_WORKFLOWS: undefined }, machine(memoryGb)).perQueue).toBe(
      perQueue,
    );
  });

  test('is what MAX_CACHED_WORKFLOWS says, whatever the memory', () => {
    expect(cacheSize(sized('300'), machine(24)).perQueue).toBe(300);
    expect(cacheSize(sized('50000'), machine(2)).perQueue).toBe(50_000);
  });

  test.each(['0', '-1', '1.5', 'many'])('cannot be %s', (text) => {
    expect(() => sized(text)).toThrow('MAX_CACHED_WORKFLOWS must be a whole number from 1');
  });

  test('has a heap that holds it, and never a smaller one than V8 gives anyway', () => {
    expect(cacheSize(sized('300'), machine(24)).threadHeapMb).toBe(4_096);
    expect(cacheSize(sized('5000'), machine(6, gb)).threadHeapMb).toBe(1_131);
    expect(cacheSize(sized('50000'), machine(24)).threadHeapMb).toBe(9_502);
  });
});

describe("Node's own flag, which holds for every heap of the process", () => {
  const { NODE_OPTIONS } = process.env;
  afterEach(() => {
    if (NODE_OPTIONS === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = NODE_OPTIONS;
  });

  test('is told of where it is too small', () => {
    process.env['NODE_OPTIONS'] = '--max-old-space-size=500';
    const small = machine(24, 0.5 * gb);
    expect(heapProblem(cacheSize(sized('5000'), small), small)).toMatch(/1131 holds them$/);
    expect(heapProblem(cacheSize(sized('2000'), small), small)).toBeNull();
  });

  test('is none of ours where it is not set', () => {
    delete process.env['NODE_OPTIONS'];
    expect(heapProblem(cacheSize(sized('50000'), machine(2, gb)), machine(2, gb))).toBeNull();
  });
});
