import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { gatewayJson, parseGateway, parseGateways } from './definition.ts';
import type { GatewayDraft } from './gateway.ts';
import { pointsOfGateway, type Preset } from './preset.ts';
import { sharedBudgets, validateGateway } from './validate.ts';

const power = {
  key: 'ac_power_w',
  function: 3,
  address: 32080,
  type: 'int32',
  unit: 'W',
  range: { min: -5000, max: 400000 },
};
const whole = { id: 'north', host: '10.1.2.3', units: [{ unit_id: 1, points: [power] }] };
const presets = new Map<string, Preset>([
  [
    'sdm630',
    { name: 'sdm630', title: 'SDM630', source: 'maker', notes: null, points: [], samples: [] },
  ],
]);

function problemsOf(json: unknown): string[] {
  const parsed = parseGateway(json);
  return 'problems' in parsed
    ? parsed.problems.map(({ path, message }) => `${path} ${message}`.trim())
    : [];
}

function gatewayOf(json: unknown): GatewayDraft {
  const parsed = parseGateway(json);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.gateway;
}

const withPoint = (changes: object) => ({
  ...whole,
  units: [{ unit_id: 1, points: [{ ...power, ...changes }] }],
});
const validate = (json: unknown) => validateGateway(gatewayOf(json), { presets });
const codes = (json: unknown) => validate(json).problems.map(({ code }) => code);
const warned = (json: unknown) => validate(json).warnings.map(({ code }) => code);

describe('a definition', () => {
  test('has its usual values where it says nothing', () => {
    expect(gatewayOf(whole)).toMatchObject({
      name: 'north',
      port: 502,
      priority: 'NORMAL',
      pollIntervalS: 60,
      plantId: null,
      quirks: {},
      units: [
        {
          unitId: 1,
          preset: null,
          points: [{ name: 'ac power w', order: 'ABCD', scale: 1, registers: 2, sentinels: [] }],
        },
      ],
    });
    expect(gatewayOf({ ...whole, priority: 'high' })).toMatchObject({
      priority: 'HIGH',
      pollIntervalS: 10,
    });
  });

  test('of one unit may give its fields at the top', () => {
    expect(
      gatewayOf({ id: 'a', host: 'meter.local', unit_id: 7, points: [power] }).units,
    ).toMatchObject([{ unitId: 7 }]);
  });

  test('tells all problems at once, each with its place', () => {
    expect(
      problemsOf({
        id: 'North Roof',
        host: 'http://10.1.2.3/',
        port: '502',
        poll_interval_s: 5,
        prioritty: 'LOW',
        units: [
          { unit_id: 256, points: [{ ...power, type: 'int33', order: 'little', scale: '0.1' }] },
        ],
      }),
    ).toEqual([
      expect.stringMatching(/^id must have lower case/),
      expect.stringMatching(/^host must be a host name .* leave out the scheme/),
      expect.stringMatching(/^port must be a whole number from 1 to 65535, not "502"/),
      expect.stringMatching(/^poll_interval_s must be a whole number from 10 to 86400/),
      expect.stringMatching(/^units\[0\]\.unit_id must be a whole number from 0 to 255/),
      expect.stringMatching(/^units\[0\]\.points\[0\]\.type .*did you mean int32\?/),
      expect.stringMatching(/^units\[0\]\.points\[0\]\.order .*did you mean DCBA/),
      expect.stringMatching(/^units\[0\]\.points\[0\]\.scale must be a number without quotes/),
      'prioritty is no field here: did you mean priority?',
    ]);
  });

  test.each([
    [{ host: '10.1.2.3:502' }, /give the port in "port"/],
    [{ host: '10.1.2.999' }, /must be a host name or an IP address/],
    [{ units: [] }, /^units must list at least one unit/],
    [{ units: undefined }, /^units is missing/],
    [{ units: [{ unit_id: 1 }] }, /neither "preset" nor "points"/],
    [
      {
        units: [
          { unit_id: 1, points: [power] },
          { unit_id: 1, points: [power] },
        ],
      },
      /1 is listed twice/,
    ],
    [
      { units: [{ unit_id: 1, points: [power, power] }] },
      /ac_power_w is also the key of units\[0\]\.points\[0\]/,
    ],
    [
      { quirks: { max_registers: 126 } },
      /^quirks\.max_registers must be a whole number from 1 to 125/,
    ],
  ])('with %j is refused in words', (changes, message) => {
    expect(problemsOf({ ...whole, ...changes }).join('\n')).toMatch(message);
  });

  test.each([
    [{ address: 70_000 }, /at most 65535/],
    [{ address: 65_535 }, /65535 with 2 registers ends beyond 65535/],
    [{ address: 400_001 }, /add "notation": "4xxxxx"/],
    [{ address: '40001', notation: '4xxxx', function: 4 }, /belongs to function 3/],
    [{ address: '50001', notation: '4xxxx' }, /must have 5 digits/],
    [{ address: 0, notation: '1-based' }, /1 to 65536/],
    [
      { address: 5, documented: { address: '40005', notation: '4xxxx' } },
      /is 4 as sent, but "address" says 5/,
    ],
    [{ function: 6 }, /nothing is ever written/],
    [{ function: 1 }, /must be bit: function 1 reads single bits/],
    [{ type: 'string' }, /registers is missing/],
    [{ type: 'bit' }, /bit is missing/],
    [{ type: 'pad' }, /leave the point out/],
    [{ registers: 4 }, /must be 2 for int32/],
    [{ order: 'EFGHABCD' }, /for values of 64 bits/],
    [{ order: 'word_swap' }, /did you mean CDAB/],
    [{ order: 'big' }, /did you mean ABCD/],
    [{ scale: 0 }, /must not be 0/],
    [{ range: { min: 5, max: 5 } }, /min below its max/],
    [{ sentinels: ['0x1FFFFFFFF'] }, /more than the 32 bits/],
    [{ kind: 'TOTAL' }, /one of GAUGE, COUNTER, DAILY/],
    [{ max_rate_per_hour: 5 }, /only COUNTER and DAILY/],
    [{ key: 'AC power' }, /lower case letters/],
    [{ sunspec: { model: 103, offset: 14 } }, /must be absent where "sunspec"/],
  ])('with a point of %j is refused in words', (changes, message) => {
    expect(problemsOf(withPoint(changes)).join('\n')).toMatch(message);
  });

  test.each([
    [{ address: '0x7D50' }, { address: 32080, documented: null }],
    [{ address: '32080' }, { address: 32080 }],
    [
      { address: 40_001, notation: '4xxxx', function: undefined },
      { address: 0, function: 3, documented: { address: '40001', notation: '4xxxx' } },
    ],
    [
      { address: '300053', notation: '4xxxxx', function: undefined },
      { address: 52, function: 4 },
    ],
    [
      { address: '00020', notation: '4xxxx', function: undefined, type: 'bool' },
      { address: 19, function: 1, type: 'bit' },
    ],
    [{ address: 32_081, notation: '1-based' }, { address: 32080 }],
    [{ function: 'input' }, { function: 4 }],
    [{ type: 'U32' }, { type: 'uint32' }],
    [{ type: 'uint64', order: 'GHEFCDAB' }, { order: 'CDAB' }],
    [
      { sentinels: [-1, '0x80000000', { bits: '0x8000', mask: '0xFFFF' }] },
      { sentinels: [{ bits: 0xffffffffn }, { bits: 0x80000000n }, { mask: 0xffffn }] },
    ],
    [{ type: 'acc32' }, { sentinels: [{ bits: 0n, mask: null }] }],
    [{ type: 'acc32', sentinels: [] }, { sentinels: [] }],
  ])('takes a point of %j', (changes, expected) => {
    expect(gatewayOf(withPoint(changes)).units[0]?.points[0]).toMatchObject(expected);
  });

  test('is the same after it was written and read', () => {
    const points = fc.uniqueArray(
      fc.record({
        key: fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/),
        function: fc.constantFrom(3, 4),
        address: fc.oneof(fc.integer({ min: 0, max: 65_000 }), fc.constant('0x7D50')),
        type: fc.constantFrom('int16', 'uint32', 'float64', 'acc64', 'enum16'),
        order: fc.constantFrom('ABCD', 'CDAB', 'BADC', 'DCBA'),
        scale: fc.constantFrom(1, 0.1, -0.01, 1000),
        offset: fc.constantFrom(0, -100, 0.5),
        kind: fc.constantFrom('GAUGE', 'COUNTER', 'DAILY'),
        sentinels: fc.constantFrom([], ['0x7FFF'], [{ bits: '0x80', mask: '0xF0' }]),
        range: fc.constantFrom({ min: null, max: 5 }, { min: -1, max: null }),
      }),
      { selector: ({ key }) => key, maxLength: 5 },
    );
    const definition = fc.record({
      id: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/),
      host: fc.constantFrom('10.0.0.1', 'meter.example.com', 'fd00::1'),
      port: fc.integer({ min: 1, max: 65_535 }),
      poll_interval_s: fc.integer({ min: 10, max: 86_400 }),
      priority: fc.constantFrom('HIGH', 'NORMAL', 'LOW'),
      plant_id: fc.constantFrom(null, 'canal'),
      quirks: fc.constantFrom(
        {},
        { max_registers: 50, barriers: [185], length_fault: 'COUNTS_HEADER' },
      ),
      units: points.map((list) => [
        { unit_id: 0, capacity_kw: 5, points: list },
        { unit_id: 255, preset: 'sdm630' },
      ]),
    });
    fc.assert(
      fc.property(definition, (json) => {
        const gateway = gatewayOf(json);
        expect(gatewayOf(JSON.parse(JSON.stringify(gatewayJson(gateway))))).toEqual(gateway);
      }),
    );
  });

  test('may be a list, whose ids differ', () => {
    expect(parseGateways({ gateways: [whole, { ...whole, id: 'south' }] })).toMatchObject({
      gateways: [{ id: 'north' }, { id: 'south' }],
    });
    expect(parseGateways([whole, whole])).toMatchObject({ problems: [{ code: 'id_duplicate' }] });
    expect(parseGateways({ gateways: [whole, { ...whole, id: 'south', port: 0 }] })).toMatchObject({
      problems: [{ path: 'gateways[1].port' }],
    });
  });
});

describe('validation', () => {
  const spread = Array.from({ length: 30 }, (_, index) => ({
    ...power,
    key: `p${index}`,
    address: index * 200,
  }));
  const slow = {
    ...whole,
    poll_interval_s: 10,
    priority: 'HIGH',
    quirks: { pause_between_requests_ms: 300 },
    units: [{ unit_id: 1, points: spread }],
  };

  test('finds nothing wrong with a sound gateway', () => {
    expect(validate(whole)).toMatchObject({
      problems: [],
      warnings: [],
      budget: { requests: 1, neededMs: 100, allowedMs: 10_000 },
    });
  });

  test('counts requests, round trips and pauses against the interval', () => {
    const { problems, budget } = validate(slow);
    expect(budget).toEqual({ requests: 30, neededMs: 12_000, allowedMs: 8_000 });
    expect(problems).toMatchObject([
      {
        code: 'budget_exceeded',
        path: 'units[0]',
        message: expect.stringContaining(
          '12 s: 30 requests × (100 ms round trip + 300 ms pause); every 10 s it may take 8 s',
        ),
      },
    ]);
    expect(validateGateway(gatewayOf(slow), { presets, roundTripMs: 10 }).problems).toMatchObject([
      { code: 'budget_exceeded' },
    ]);
    expect(codes({ ...slow, poll_interval_s: 60, quirks: {} })).toEqual([]);
  });

  test('adds up what gateways of one socket need', () => {
    const one = gatewayOf({ ...slow, quirks: { pause_between_requests_ms: 100 } });
    const problems = sharedBudgets([one, { ...one, id: 'south', host: '10.1.2.3' }], { presets });
    expect(problems).toMatchObject([
      {
        code: 'budget_exceeded',
        message: expect.stringContaining('north, south share the socket'),
      },
    ]);
    expect(sharedBudgets([one, { ...one, id: 'south', host: '10.1.2.4' }], { presets })).toEqual(
      [],
    );
  });

  test.each([
    [{ units: [{ unit_id: 1, preset: 'sdm639' }] }, 'preset_unknown'],
    [{ units: [{ unit_id: 1, preset: 'sdm630' }] }, 'no_points'],
    [{ quirks: { max_registers: 1 } }, 'point_too_wide'],
    [{ quirks: { barriers: [32_081] } }, 'barrier_inside'],
    [{ host: '169.254.169.254' }, 'host_invalid'],
  ])('of %j says %s', (changes, code) => {
    expect(codes({ ...whole, ...changes })).toContain(code);
  });

  test.each([
    [{ priority: 'HIGH', poll_interval_s: 60 }, 'interval_unusual'],
    [
      { units: [{ unit_id: 1, points: [power, { ...power, key: 'other', address: 32_081 }] }] },
      'points_overlap',
    ],
    [{ units: [{ unit_id: 1, points: [{ ...power, kind: 'COUNTER' }] }] }, 'rate_unknown'],
    [{ units: [{ unit_id: 1, points: [{ ...power, range: undefined }] }] }, 'range_unknown'],
  ])('of %j warns of %s', (changes, code) => {
    expect(warned({ ...whole, ...changes })).toContain(code);
    expect(codes({ ...whole, ...changes })).toEqual([]);
  });

  test('takes the rate of a counter from the capacity of its unit', () => {
    const energy = { ...power, key: 'total', unit: 'Wh', kind: 'COUNTER' };
    const { units } = gatewayOf({
      ...whole,
      units: [
        {
          unit_id: 1,
          capacity_kw: 5,
          points: [energy, { ...energy, key: 'own', address: 1, max_rate_per_hour: 7 }],
        },
      ],
    });
    expect(pointsOfGateway({ units }, presets).map(({ maxRatePerHour }) => maxRatePerHour)).toEqual(
      [5_000, 7],
    );
  });
});
