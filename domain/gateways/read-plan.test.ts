import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { noQuirks, type Quirks } from './gateway.ts';
import {
  type Learned,
  noteAnswer,
  noteRefusal,
  nothingLearned,
  planReads,
  type ReadRequest,
  refusalMs,
  type ResolvedPoint,
  splitRequest,
} from './read-plan.ts';

const basis: ResolvedPoint = {
  key: 'point',
  name: 'Point',
  unitId: 1,
  function: 3,
  address: 0,
  scaleFactorAddress: null,
  documented: null,
  sunspec: null,
  type: 'uint16',
  order: 'ABCD',
  registers: 1,
  bit: null,
  scale: 1,
  offset: 0,
  unit: null,
  kind: 'GAUGE',
  range: { min: null, max: null },
  sentinels: [],
  maxRatePerHour: null,
};

/** A point from its address, its registers and the address of its scale factor. */
function point(address: number, registers = 1, of: Partial<ResolvedPoint> = {}): ResolvedPoint {
  return { ...basis, address, registers, ...of };
}

const nowMs = 1_000_000;

function plan(
  points: readonly ResolvedPoint[],
  {
    learned = nothingLearned,
    atMs = nowMs,
    ...quirks
  }: Partial<Quirks> & { learned?: Learned; atMs?: number } = {},
) {
  return planReads(points, {
    quirksOf: () => ({ ...noQuirks, ...quirks }),
    learned,
    nowMs: atMs,
  });
}

/** Requests in short: `40+2`, with the role where it is not VALUES. */
function short(requests: readonly ReadRequest[]): string[] {
  const marks = { VALUES: '', FACTORS_BEFORE: '<', FACTORS_AFTER: '>' };
  return requests.map(({ address, count, role }) => `${marks[role]}${address}+${count}`);
}

/** Refused in so many polls. */
function refused(learned: Learned, address: number, count: number, times = 2): Learned {
  let all = learned;
  for (let poll = 1; poll <= times; poll += 1)
    all = noteRefusal(
      all,
      { unitId: 1, function: 3, address, count },
      { code: 2, atMs: nowMs - times + poll },
    );
  return all;
}

describe('points share requests', () => {
  test('that lie next to each other or have a small hole between them', () => {
    expect(short(plan([point(0, 2), point(2), point(33), point(64)]).requests)).toEqual(['0+65']);
    expect(short(plan([point(0, 2), point(33)]).requests)).toEqual(['0+2', '33+1']);
    expect(short(plan([point(0), point(5)], { maxHole: 4 }).requests)).toEqual(['0+6']);
    expect(short(plan([point(0), point(6)], { maxHole: 4 }).requests)).toEqual(['0+1', '6+1']);
  });

  test('up to 125 registers or the limit of the unit, and no value is cut', () => {
    const many = Array.from({ length: 70 }, (_, index) => point(index * 2, 2));
    expect(short(plan(many).requests)).toEqual(['0+124', '124+16']);
    expect(short(plan(many, { maxRegisters: 51 }).requests)).toEqual(['0+50', '50+50', '100+40']);
  });

  test('in any order of the points, with the same registers once', () => {
    const points = [point(9), point(3, 4), point(3, 4), point(3)];
    const { requests } = plan(points);
    expect(short(requests)).toEqual(['3+7']);
    expect(requests[0]?.parts.map((part) => part.point).toSorted()).toEqual([0, 1, 2, 3]);
  });

  test('of one unit and one function only; units come one after the other', () => {
    const points = [
      point(0),
      point(1, 1, { unitId: 2 }),
      point(2, 1, { function: 4 }),
      point(3, 1, { unitId: 2 }),
    ];
    expect(
      plan(points).requests.map((one) => [one.unitId, one.function, one.address, one.count]),
    ).toEqual([
      [1, 3, 0, 1],
      [1, 4, 2, 1],
      [2, 3, 1, 3],
    ]);
  });

  test('never across a barrier, not even where the point begins there', () => {
    expect(short(plan([point(184), point(186)], { barriers: [185] }).requests)).toEqual([
      '184+1',
      '186+1',
    ]);
    expect(short(plan([point(184), point(185)], { barriers: [185] }).requests)).toEqual([
      '184+1',
      '185+1',
    ]);
    expect(short(plan([point(184), point(185)], { barriers: [184] }).requests)).toEqual(['184+2']);
  });

  test('not at all with one request per point', () => {
    expect(short(plan([point(0), point(1)], { oneRequestPerPoint: true }).requests)).toEqual([
      '0+1',
      '1+1',
    ]);
  });

  test('sixteen coils take the room of one register', () => {
    const coils = [0, 400, 2_001].map((address) => point(address, 1, { function: 1, type: 'bit' }));
    expect(short(plan(coils).requests)).toEqual(['0+401', '2001+1']);
    expect(short(plan(coils, { maxHole: 24 }).requests)).toEqual(['0+1', '400+1', '2001+1']);
  });

  test('points that no request can bring are named', () => {
    const points = [point(0, 126), point(65_535, 2), point(-1), point(7), point(8, 2)];
    expect(plan(points)).toMatchObject({ unreadable: [0, 1, 2], requests: [{ address: 7 }] });
    expect(plan(points, { maxRegisters: 1 }).unreadable).toEqual([0, 1, 2, 4]);
    expect(plan([point(5, 1, { scaleFactorAddress: 65_536 })]).unreadable).toEqual([0]);
  });
});

describe('a value and its scale factor', () => {
  test('come from one request where they fit, over any hole', () => {
    expect(short(plan([point(10, 1, { scaleFactorAddress: 116 })]).requests)).toEqual(['10+107']);
    expect(short(plan([point(116, 1, { scaleFactorAddress: 10 })]).requests)).toEqual(['10+107']);
  });

  test('where they do not fit, the factor is read before and after', () => {
    const far = point(10, 1, { scaleFactorAddress: 200 });
    expect(short(plan([far, point(11, 1, { scaleFactorAddress: 201 })]).requests)).toEqual([
      '<200+2',
      '10+2',
      '>200+2',
    ]);
    const near = point(10, 2, { scaleFactorAddress: 14 });
    expect(short(plan([near], { maxRegisters: 4 }).requests)).toEqual(['<14+1', '10+2', '>14+1']);
    expect(short(plan([near], { barriers: [13] }).requests)).toEqual(['<14+1', '10+2', '>14+1']);
  });
});

describe('a request that is refused', () => {
  test('is split where both halves are most alike, down to one value', () => {
    const [request] = plan([point(0), point(10), point(20), point(30)]).requests;
    const [low, high] = splitRequest(request as ReadRequest);
    expect(short([low, high] as ReadRequest[])).toEqual(['0+11', '20+11']);
    expect(short(splitRequest(low as ReadRequest))).toEqual(['0+1', '10+1']);
    const [one] = plan([point(0, 4), point(0, 4)]).requests;
    expect(splitRequest(one as ReadRequest)).toEqual([]);
  });

  test('that holds one value with its scale factor asks for them apart', () => {
    const [request] = plan([point(10, 2, { scaleFactorAddress: 20 })]).requests;
    expect(short(splitRequest(request as ReadRequest))).toEqual(['<20+1', '10+2', '>20+1']);
  });

  test('is not learned at the first time, nor by two refusals of one poll', () => {
    const points = [point(0), point(1)];
    const once = refused(nothingLearned, 0, 2, 1);
    expect(short(plan(points, { learned: once }).requests)).toEqual(['0+2']);
    const same = noteRefusal(
      once,
      { unitId: 1, function: 3, address: 0, count: 2 },
      { code: 2, atMs: nowMs },
    );
    expect(same).toBe(once);
  });

  test('at the second time is learned: one value is not asked for any more', () => {
    const points = [point(0), point(1), point(2)];
    const learned = refused(nothingLearned, 1, 1);
    const made = plan(points, { learned });
    expect(short(made.requests)).toEqual(['0+1', '2+1']);
    expect(made.refused).toEqual([{ point: 1, code: 2 }]);
    // A hole is not bridged over it either.
    expect(short(plan([point(0), point(2)], { learned }).requests)).toEqual(['0+1', '2+1']);
  });

  test('a longer range is halved, and wider ranges that hold a learned one are forgotten', () => {
    const points = Array.from({ length: 50 }, (_, index) => point(index * 2, 2));
    const wide = refused(nothingLearned, 0, 100);
    expect(short(plan(points, { learned: wide }).requests)).toEqual(['0+50', '50+50']);
    const narrow = refused(wide, 98, 2);
    expect(narrow.refusals.map(({ address, count }) => [address, count])).toEqual([[98, 2]]);
    expect(short(plan(points, { learned: narrow }).requests)).toEqual(['0+98']);
  });

  test('two values that are refused only together do not share a request; the others do', () => {
    const points = [point(0), point(1), point(12), point(13)];
    const learned = refused(nothingLearned, 1, 12);
    expect(short(plan(points, { learned }).requests)).toEqual(['0+2', '12+2']);
  });

  test('a value is refused where a range within it is', () => {
    const learned = refused(nothingLearned, 1, 1);
    expect(plan([point(0, 2)], { learned }).refused).toEqual([{ point: 0, code: 2 }]);
    const factor = point(0, 1, { scaleFactorAddress: 1 });
    expect(plan([factor], { learned }).refused).toEqual([{ point: 0, code: 2 }]);
    const hole = point(0, 1, { scaleFactorAddress: 2 });
    expect(short(plan([hole], { learned }).requests)).toEqual(['<2+1', '0+1', '>2+1']);
  });

  test('with exception 1 the unit refuses the function', () => {
    const range = { unitId: 1, function: 3, address: 5, count: 1 } as const;
    const once = noteRefusal(nothingLearned, range, { code: 1, atMs: 1 });
    const learned = noteRefusal(once, { ...range, address: 9 }, { code: 1, atMs: nowMs });
    expect(learned.refusals).toEqual([
      { unitId: 1, function: 3, address: 0, count: 65_536, code: 1, times: 2, atMs: nowMs },
    ]);
    const points = [point(5), point(6, 1, { function: 4 }), point(5, 1, { unitId: 2 })];
    const made = plan(points, { learned });
    expect(made.refused).toEqual([{ point: 0, code: 1 }]);
    expect(made.requests.map((one) => [one.unitId, one.function])).toEqual([
      [1, 4],
      [2, 3],
    ]);
    expect(noteAnswer(learned, range)).toEqual(nothingLearned);
  });

  test('is asked for again after a day, by itself, so that the others have their values', () => {
    const points = [point(0), point(1), point(2)];
    const learned = refused(nothingLearned, 1, 1);
    const made = plan(points, { learned });
    expect(made.validUntilMs).toBe(nowMs + refusalMs);
    expect(short(plan(points, { learned, atMs: nowMs + refusalMs - 1 }).requests)).toEqual([
      '0+1',
      '2+1',
    ]);
    const later = plan(points, { learned, atMs: nowMs + refusalMs });
    expect(short(later.requests)).toEqual(['0+1', '1+1', '2+1']);
    expect(later.validUntilMs).toBe(Infinity);
    const answered = noteAnswer(learned, { unitId: 1, function: 3, address: 1, count: 1 });
    expect(short(plan(points, { learned: answered }).requests)).toEqual(['0+3']);
  });

  test('an answer clears what lies within it, and nothing else', () => {
    const learned = refused(refused(refused(nothingLearned, 1, 1), 5, 1), 8, 3, 1);
    const range = { unitId: 1, function: 3, address: 4, count: 6 } as const;
    expect(noteAnswer(learned, range).refusals.map(({ address }) => address)).toEqual([1, 8]);
    expect(noteAnswer(learned, { ...range, unitId: 2 })).toBe(learned);
    expect(noteAnswer(learned, { ...range, function: 4 })).toBe(learned);
  });
});

/** Asks a device that refuses some registers and long requests, as a poll does, with no limit of extra requests. */
function pollDevice(
  points: readonly ResolvedPoint[],
  learned: Learned,
  { bad, most, atMs }: { bad: ReadonlySet<number>; most: number; atMs: number },
) {
  const pending = [...plan(points, { learned, atMs }).requests];
  const good = new Set<number>();
  let now = learned;
  let sent = 0;
  for (let request = pending.shift(); request !== undefined; request = pending.shift()) {
    sent += 1;
    const { address, count } = request;
    const isRefused =
      count > most ||
      Array.from({ length: count }, (_, at) => address + at).some((at) => bad.has(at));
    if (!isRefused) {
      now = noteAnswer(now, request);
      for (const part of request.parts) good.add(part.point);
    } else {
      now = noteRefusal(now, request, { code: 2, atMs });
      pending.unshift(...splitRequest(request));
    }
  }
  return { good, learned: now, sent };
}

test('any plan holds its bounds, and any device is learned: every point that can be read is, with no refusal any more', () => {
  const points = fc.array(
    fc.record({ address: fc.nat(300), registers: fc.integer({ min: 1, max: 4 }) }),
    { minLength: 1, maxLength: 30 },
  );
  fc.assert(
    fc.property(
      points,
      fc.uniqueArray(fc.nat(300), { maxLength: 6 }),
      fc.integer({ min: 4, max: 125 }),
      fc.uniqueArray(fc.nat(300), { maxLength: 3 }),
      (places, bad, most, barriers) => {
        const all = places.map(({ address, registers }) => point(address, registers));
        for (const { address, count, parts } of plan(all, { maxRegisters: most, barriers })
          .requests) {
          expect(count).toBeLessThanOrEqual(most);
          for (const part of parts) {
            expect(part.address).toBeGreaterThanOrEqual(address);
            expect(part.address + part.count).toBeLessThanOrEqual(address + count);
          }
        }
        const device = { bad: new Set(bad), most };
        let learned = nothingLearned;
        for (let poll = 1; poll <= 40; poll += 1)
          learned = pollDevice(all, learned, { ...device, atMs: poll }).learned;
        const last = pollDevice(all, learned, { ...device, atMs: 41 });
        const readable = all.flatMap(({ address, registers }, index) =>
          bad.some((one) => address <= one && one < address + registers) ? [] : [index],
        );
        expect([...last.good].toSorted((a, b) => a - b)).toEqual(readable);
        expect(last.sent).toBe(plan(all, { learned, atMs: 41 }).requests.length);
        expect(last.learned).toBe(learned);
      },
    ),
    { numRuns: 300 },
  );
});
