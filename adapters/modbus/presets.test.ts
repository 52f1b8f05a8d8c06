import { describe, expect, test } from 'vitest';

import { judgePoll } from '../../domain/gateways/judge.ts';
import { pointJson } from '../../domain/gateways/point-json.ts';
import { parsePreset, type Preset, type PresetSample } from '../../domain/gateways/preset.ts';
import { inListOrder, resolvePoints } from '../../domain/gateways/sunspec.ts';
import type { Exchange } from './exchanges.ts';
import { loadPresets } from './presets.ts';
import { rawPointsOf, recordedLayout } from './replay.ts';

/** The kit of presets: each decodes its own samples to the right values. */

const unitId = 1;

/** One answer for each run of registers. */
function answersOf({ registers }: PresetSample): Exchange[] {
  const runs: { function: 1 | 2 | 3 | 4; address: number; bytes: number[] }[] = [];
  for (const { function: code, address, bytes } of registers) {
    const last = runs.at(-1);
    if (last?.function === code && last.address + last.bytes.length / 2 === address)
      last.bytes.push(...bytes);
    else runs.push({ function: code, address, bytes: [...bytes] });
  }
  return runs.map(({ function: code, address, bytes }) => ({
    unitId,
    function: code,
    address,
    count: bytes.length / 2,
    requestLine: null,
    answerLine: null,
    atMs: null,
    marks: 0,
    result: { kind: 'ANSWER', bytes: Uint8Array.from(bytes) },
  }));
}

async function valuesOf(preset: Preset, sample: PresetSample) {
  const points = preset.points.map((point) => ({ ...point, unitId }));
  const exchanges = answersOf(sample);
  const layout = await recordedLayout(exchanges, { points, places: [] });
  const resolved = resolvePoints(points, new Map([[unitId, layout]]));
  const raws = inListOrder(resolved, rawPointsOf(resolved.points, exchanges));
  const raw = {
    points: raws,
    failure: null,
    isBackOff: false,
    startedAtMs: 0,
    measuredAtMs: 0,
    requests: 1,
  };
  const { values, texts } = judgePoll(resolved.list, raw, {}, 0);
  return Object.fromEntries(
    points.map(({ key }, index) => [
      key,
      texts.find((one) => one.key === key)?.value ?? values[index] ?? null,
    ]),
  );
}

const presets = [...loadPresets().values()];
const samples = presets.flatMap((preset) =>
  preset.samples.map((sample) => ({ name: preset.name, title: sample.title, preset, sample })),
);

describe('a preset', () => {
  test.each(samples)('$name reads $title', async ({ preset, sample }) => {
    const values = await valuesOf(preset, sample);
    expect(values).toMatchObject(sample.values);
  });

  test.each(presets)(
    '$name has a value for each of its points in a sample',
    ({ points, samples: own }) => {
      const shown = new Set(own.flatMap(({ values }) => Object.keys(values)));
      const without = points.map(({ key }) => key).filter((key) => !shown.has(key));
      expect(without.filter((key) => !key.startsWith('mppt4'))).toEqual([]);
    },
  );

  test.each(presets)('$name judges every counter and bounds what it measures', ({ points }) => {
    for (const { key, kind, maxRatePerHour, unit, range } of points) {
      if (kind !== 'GAUGE')
        expect({ key, maxRatePerHour }).not.toMatchObject({ maxRatePerHour: null });
      if (unit !== null) expect({ key, range }).not.toMatchObject({ range: { min: null } });
    }
  });

  test.each(presets)('$name is the same after it was written and read', (preset) => {
    const { points } = parsePreset({
      name: preset.name,
      title: preset.title,
      source: preset.source,
      points: preset.points.map(pointJson),
      samples: [],
    });
    expect(points).toEqual(preset.points);
  });
});

test('of every family that people have there is a preset', () => {
  expect(presets.map(({ name }) => name)).toEqual([
    'deye-hybrid-1p',
    'deye-hybrid-3p',
    'deye-string',
    'em340',
    'fronius-gen24',
    'fronius-smart-meter',
    'goodwe-dt',
    'goodwe-et',
    'growatt-min',
    'huawei-emma',
    'huawei-smartlogger',
    'huawei-smartlogger-meter',
    'huawei-sun2000',
    'janitza',
    'sdm630',
    'sma',
    'solis-hybrid',
    'solis-string',
    'sungrow-sg',
    'sunspec-inverter',
    'sunspec-meter',
    'teltonika',
  ]);
});
