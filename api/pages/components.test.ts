import { describe, expect, test } from 'vitest';

import { decimal, difference, missing, whenText } from './components.ts';
import { fleetHref, parseFleetQuery } from '../plants/pages/fleet.ts';
import { ownPath } from './answer.ts';
import { energyDays, powerDays } from '../plants/pages/plant-data.ts';
import { pollAnswerText } from '../plants/pages/plant.ts';
import { strip, stripText } from './strip.ts';

describe('figures', () => {
  test('have thousands apart, a real minus, and never −0', () => {
    expect(decimal(8412.04, 1)).toBe('8,412.0');
    expect(decimal(-3.25, 1)).toBe('−3.3');
    expect(decimal(-0.04, 1)).toBe('0.0');
  });

  test('are compared as a difference with its sign', () => {
    expect(difference(1.06)).toBe('+6 %');
    expect(difference(0.22)).toBe('−78 %');
    expect(difference(1.001)).toBe('±0 %');
  });

  test('that are missing are a dash with the reason, escaped', async () => {
    const text = String(await missing('<b>"no" data</b>'));
    expect(text).toContain('–');
    expect(text).toContain('&lt;b&gt;&quot;no&quot; data&lt;/b&gt;');
    expect(text).not.toContain('<b>"no"');
  });
});

test('a time is said by the clock today, with its weekday this week, with its date before', () => {
  const nowMs = Date.parse('2026-06-05T12:00:00Z');
  const said = (text: string) => whenText(Date.parse(text), 'Europe/Lisbon', nowMs);
  expect(said('2026-06-05T08:10:00Z')).toBe('09:10 UTC+1');
  expect(said('2026-06-04T08:10:00Z')).toBe('Thu 09:10 UTC+1');
  expect(said('2026-05-04T08:10:00Z')).toBe('2026-05-04 09:10 UTC+1');
});

describe('the address of the fleet', () => {
  const parse = (text: string) => parseFleetQuery(new URLSearchParams(text));

  test('says the same after being read and written', () => {
    const href = '/?status=RED&brand=SOLIS&customer=sul&q=canal&sort=-lost&pages=3';
    expect(fleetHref(parse(href.slice(2)), {})).toBe(href);
    expect(fleetHref(parse(''), {})).toBe('/');
  });

  test('is never refused: what it does not know is left out', () => {
    expect(fleetHref(parse('status=PINK&brand=&sort=evil&pages=-1&q='), {})).toBe('/');
    expect(parse('pages=1e9').pages).toBe(100);
  });
});

test('the way back after an action stays on our own pages', () => {
  expect(ownPath('/alerts?tab=active', '/')).toBe('/alerts?tab=active');
  for (const path of ['//evil.example', '/\\evil.example', 'https://evil.example', '', undefined])
    expect(ownPath(path, '/')).toBe('/');
});

describe('the strip of slots', () => {
  const at = (minute: number) => Date.parse('2026-06-05T08:00:00Z') + minute * 60_000;
  const slots = [
    { slotMs: at(0), kind: 'ok', lateMs: 3 },
    { slotMs: at(10), kind: 'failed', lateMs: 3 },
    { slotMs: at(20), kind: 'missed', lateMs: null },
  ] as const;

  test('says in words what its shapes show', () => {
    expect(stripText(slots, 'UTC')).toBe(
      'Last 3 slots: 1 ok, 1 failed (08:10), 1 missed (08:20), times UTC',
    );
    expect(stripText([], 'UTC')).toBe('No slot has been due yet');
  });

  test('draws each kind with a shape of its own, the newest at the right', async () => {
    const text = String(
      await strip(slots, { count: 24, timezone: 'UTC', href: '/plants/a#polls' }),
    );
    const shapes = [...text.matchAll(/<path class="(\w+)" d="([^"]+)"/g)];
    expect(shapes.map(([, kind]) => kind)).toEqual(['ok', 'failed', 'missed']);
    const relative = shapes.map(([, , d]) => d?.replace(/^M[\d.]+ /, ''));
    expect(new Set(relative).size).toBe(3);
    expect(shapes[2]?.[2]).toMatch(/^M115\.5 /);
  });
});

describe('the charts of a plant', () => {
  test('show a span without power as a gap, not as zero', () => {
    const bins = [
      { date: '2026-06-05', minute: 0, powerW: 0 },
      { date: '2026-06-05', minute: 20, powerW: 1_234 },
      { date: '2026-06-04', minute: 10, powerW: 500 },
      { date: '2026-06-03', minute: 10, powerW: 900 },
    ];
    const { minutes, todayKw, yesterdayKw } = powerDays(bins, '2026-06-05', 10);
    expect(minutes).toHaveLength(144);
    expect(todayKw.slice(0, 4)).toEqual([0, null, 1.234, null]);
    expect(yesterdayKw.slice(0, 3)).toEqual([null, 0.5, null]);
  });

  test('show 30 days with their gaps, and a median of at least 3 complete days before each', () => {
    const day = (date: string, kwh: number, complete = true) => ({
      date,
      todayEnergyKwh: kwh,
      peakPowerW: null,
      lifetimeEnergyKwh: null,
      quality: 'FINAL' as const,
      complete,
      lastSeenAtMs: null,
      liveEnergyKwh: null,
      proposedEnergyKwh: null,
    });
    const stored = [
      day('2026-06-01', 10),
      day('2026-06-02', 30),
      day('2026-06-03', 99, false),
      day('2026-06-04', 20),
    ];
    const days = energyDays(stored, '2026-06-06');
    expect(days).toHaveLength(30);
    expect(days.slice(-3)).toEqual([
      { date: '2026-06-04', kwh: 20, final: true, medianKwh: null },
      { date: '2026-06-05', kwh: null, final: false, medianKwh: 20 },
      { date: '2026-06-06', kwh: null, final: false, medianKwh: 20 },
    ]);
  });
});

test('the answer to a poll says outcome, time, power, and what changed', () => {
  const answer = {
    outcome: 'OK',
    durationMs: 310,
    powerW: 41_700,
    error: null,
    statusBefore: 'GREEN',
    statusAfter: 'GREEN',
  } as const;
  expect(pollAnswerText(answer)).toBe('ok, 310 ms, 41.7 kW, no change');
  expect(pollAnswerText({ ...answer, statusBefore: 'YELLOW' })).toContain('YELLOW became GREEN');
  expect(pollAnswerText({ ...answer, outcome: 'FAILED', powerW: null, error: 'HTTP 500' })).toBe(
    'failed, 310 ms, HTTP 500',
  );
});
