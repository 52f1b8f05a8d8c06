import { afterEach, describe, expect, test, vi } from 'vitest';

import { createFleet, createLoopReconciler, type Loops } from './fleet.ts';

/** The reconciliation over a kind of loop that the product does not have: ponds, in memory. */

interface Pond {
  id: string;
  depthM: number;
}

const minuteMs = 60_000;

/** Ponds that want a loop, and the loops that run. */
function pondWorld(wantedIds: readonly string[], runningIds: readonly string[] = wantedIds) {
  const world = {
    nowMs: 0,
    wanted: new Map(wantedIds.map((id) => [id, { id, depthM: 2, changed: false }])),
    running: new Set(runningIds),
    silent: [] as Pond[],
    stuck: new Set<string>(),
    /** The calls that reached loops, in order. */
    calls: [] as string[],
    logged: [] as object[],
  };
  const loops: Loops<Pond> = {
    async count() {
      world.calls.push('count');
      return world.running.size;
    },
    async list() {
      world.calls.push('list');
      return new Set(world.running);
    },
    async start({ id, depthM }) {
      world.calls.push(`start ${id}, ${depthM} m`);
      world.running.add(id);
    },
    async restartStuck({ id }) {
      const isStuck = world.stuck.delete(id) || !world.running.has(id);
      world.running.add(id);
      return isStuck;
    },
    async signalChanged(id) {
      world.calls.push(`signal ${id}`);
    },
  };
  const log = {
    info: () => {},
    warn: () => {},
    error: (fields: object) => void world.logged.push(fields),
  };
  const reconcileLoops = createLoopReconciler(
    loops,
    {
      kind: 'ponds',
      listWanted: async () => [...world.wanted.values()],
      listSilent: async () => world.silent,
    },
    { clock: () => world.nowMs, log },
  );
  /** Reconciles, and gives the report and the calls that it took. */
  const reconcile = async () => {
    world.calls = [];
    const report = await reconcileLoops(world.nowMs);
    return { report, calls: world.calls };
  };
  return { world, loops, reconcile };
}

describe('loops of any kind', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('a fleet that is right is left alone', async () => {
    const { reconcile } = pondWorld(['a', 'b']);
    expect(await reconcile()).toEqual({
      report: { wanted: 2, started: [], ended: [], signalled: [], restarted: [] },
      calls: ['list'],
    });
  });

  test('a loop that is missing is started with its row', async () => {
    const { reconcile } = pondWorld(['a', 'b'], ['a']);
    const { report, calls } = await reconcile();
    expect(report.started).toEqual(['b']);
    expect(calls).toEqual(['list', 'start b, 2 m']);
  });

  test('a loop whose row is gone is told to look again', async () => {
    const { reconcile } = pondWorld(['a'], ['a', 'dry']);
    const { report, calls } = await reconcile();
    expect(report).toMatchObject({ wanted: 1, ended: ['dry'], signalled: [] });
    expect(calls).toEqual(['list', 'signal dry']);
  });

  test('a changed row is told to its loop; one without a loop is started and not told', async () => {
    const { world, reconcile } = pondWorld(['a', 'b'], ['a']);
    for (const pond of world.wanted.values()) pond.changed = true;
    const { report, calls } = await reconcile();
    expect(report).toMatchObject({ started: ['b'], signalled: ['a'] });
    expect(calls).toEqual(['list', 'start b, 2 m', 'signal a']);
  });

  test('of silent ones those that are stuck are started anew, and the log says which', async () => {
    const { world, reconcile } = pondWorld(['a', 'b', 'c']);
    world.silent = [
      { id: 'a', depthM: 2 },
      { id: 'b', depthM: 2 },
    ];
    world.stuck.add('b');
    expect((await reconcile()).report.restarted).toEqual(['b']);
    expect(world.logged).toEqual([{ ponds: ['b'] }]);
  });

  test('while their number is right the loops are counted, and listed every ten minutes', async () => {
    const { world, reconcile } = pondWorld(['a', 'b']);
    await reconcile();
    world.nowMs = 10 * minuteMs - 1;
    expect((await reconcile()).calls).toEqual(['count']);
    world.nowMs = 10 * minuteMs;
    expect((await reconcile()).calls).toEqual(['list']);
  });

  test('a wrong number has them listed at once', async () => {
    const { world, reconcile } = pondWorld(['a', 'b']);
    await reconcile();
    world.running.delete('b');
    const { report, calls } = await reconcile();
    expect(report.started).toEqual(['b']);
    expect(calls).toEqual(['count', 'list', 'start b, 2 m']);
  });

  test('a new row in the place of one that is gone is seen, though the number is right', async () => {
    const { world, reconcile } = pondWorld(['a', 'b']);
    await reconcile();
    world.wanted.delete('b');
    world.wanted.set('c', { id: 'c', depthM: 3, changed: true });
    const { report } = await reconcile();
    expect(report).toMatchObject({ started: ['c'], ended: ['b'] });
  });

  test('a list that failed is made again at the next reconciliation', async () => {
    const { loops, reconcile } = pondWorld(['a', 'b'], ['a']);
    const { list } = loops;
    loops.list = () => Promise.reject(new Error('away'));
    await expect(reconcile()).rejects.toThrow('away');
    loops.list = list;
    expect((await reconcile()).report.started).toEqual(['b']);
  });

  test('the first start of a large fleet is spread: at most a hundred a second', async () => {
    vi.useFakeTimers();
    const ids = Array.from({ length: 250 }, (_, n) => `pond-${n}`);
    const { world, reconcile } = pondWorld(ids, []);
    const done = reconcile();
    const startedAfter = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      return world.running.size;
    };
    expect(await startedAfter(999)).toBe(100);
    expect(await startedAfter(1_000)).toBe(200);
    expect(await startedAfter(1)).toBe(250);
    expect((await done).report.started).toHaveLength(250);
  });
});

describe('the reconciliation of the fleet', () => {
  const clock = () => 1_000;
  const ponds = async () => ({ ponds: 2, started: ['pond'], drained: [] });
  const mills = async () => ({ mills: 1, started: ['mill'], repaired: 3 });

  test('is what all contexts report, with figures added and lists joined', async () => {
    const reconcileFleet = createFleet([ponds, mills, mills], { clock });
    expect(await reconcileFleet({ nowMs: 0 })).toEqual({
      ponds: 2,
      mills: 2,
      started: ['pond', 'mill', 'mill'],
      drained: [],
      repaired: 6,
    });
  });

  test("gives each context the later of the workflow's time and the worker's", async () => {
    const seen: number[] = [];
    const look = async (nowMs: number) => {
      seen.push(nowMs);
      return {};
    };
    const reconcileFleet = createFleet([look], { clock });
    await reconcileFleet({ nowMs: 999 });
    await reconcileFleet({ nowMs: 1_001 });
    expect(seen).toEqual([1_000, 1_001]);
  });

  test('names the first hundred of a long list', async () => {
    const ids = Array.from({ length: 101 }, (_, n) => `pond-${n}`);
    const reconcileFleet = createFleet([async () => ({ started: ids })], { clock });
    expect(await reconcileFleet({ nowMs: 0 })).toEqual({ started: ids.slice(0, 100) });
  });

  test('fails with the error of one context after the others had their turn', async () => {
    const turns: string[] = [];
    const reconcileFleet = createFleet(
      [
        async () => {
          throw new Error('the ponds are away');
        },
        async () => {
          turns.push('mills');
          return {};
        },
      ],
      { clock },
    );
    await expect(reconcileFleet({ nowMs: 0 })).rejects.toThrow('the ponds are away');
    expect(turns).toEqual(['mills']);
  });
});
