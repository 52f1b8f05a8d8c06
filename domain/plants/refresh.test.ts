import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DayRow } from './facts.ts';
import { sampleDay } from '../../test/support/plant-facts.ts';
import { decideRefresh } from './refresh.ts';

const date = '2026-06-09';
const live = sampleDay(date, { todayEnergyKwh: 40, lifetimeEnergyKwh: 9_000 });
const incomplete = { ...live, complete: false };

describe('a day without a row', () => {
  test('is filled from the series, as a change', () => {
    expect(decideRefresh(null, { date, energyKwh: 38.5 }, 1, null)).toMatchObject({
      row: {
        date,
        todayEnergyKwh: 38.5,
        peakPowerW: null,
        lifetimeEnergyKwh: null,
        quality: 'BACKFILLED',
        complete: true,
        lastSeenAtMs: null,
        liveEnergyKwh: null,
      },
      revision: true,
      proposalKwh: null,
    });
  });

  test('stays without one where the series has no value', () => {
    expect(decideRefresh(null, { date, energyKwh: null }, 1, null)).toMatchObject({
      row: null,
      revision: false,
    });
    expect(decideRefresh(null, { date, energyKwh: null }, 3, null).row).toBeNull();
  });

  test('takes a zero of the series: there is nothing that it could overwrite', () => {
    expect(decideRefresh(null, { date, energyKwh: 0 }, 1, null).row).toMatchObject({
      todayEnergyKwh: 0,
    });
  });
});

describe('a day with a row', () => {
  test('is corrected upwards, and keeps what live readings said of it', () => {
    expect(decideRefresh(live, { date, energyKwh: 41 }, 1, null)).toMatchObject({
      row: { ...live, todayEnergyKwh: 41, quality: 'BACKFILLED', complete: true },
      revision: true,
    });
  });

  test('is confirmed without a revision', () => {
    expect(decideRefresh(incomplete, { date, energyKwh: 40 }, 1, null)).toMatchObject({
      row: { todayEnergyKwh: 40, quality: 'BACKFILLED', complete: true },
      revision: false,
    });
  });

  test.each([NaN, Infinity, -1, null])('is left alone by a series value of %s', (seriesKwh) => {
    expect(decideRefresh(live, { date, energyKwh: seriesKwh }, 1, null)).toMatchObject({
      row: null,
      revision: false,
      proposalKwh: null,
    });
  });

  test('never takes a 0 over a positive value, not even confirmed, incomplete or at D+3', () => {
    expect(decideRefresh(incomplete, { date, energyKwh: 0 }, 1, 0).row).toBeNull();
    expect(
      decideRefresh({ ...live, quality: 'BACKFILLED' }, { date, energyKwh: 0 }, 2, 0).row,
    ).toBeNull();
    expect(decideRefresh(live, { date, energyKwh: 0 }, 3, 0).row).toEqual({
      ...live,
      quality: 'FINAL',
    });
  });

  test('takes a 0 over a 0', () => {
    const zero = sampleDay(date, { todayEnergyKwh: 0 });
    expect(decideRefresh(zero, { date, energyKwh: 0 }, 1, null)).toMatchObject({
      row: { quality: 'BACKFILLED' },
      revision: false,
    });
  });
});

describe('a lower total', () => {
  test('is taken at exactly 95 % of a complete LIVE day', () => {
    expect(decideRefresh(live, { date, energyKwh: 38 }, 1, null)).toMatchObject({
      row: { todayEnergyKwh: 38 },
      revision: true,
    });
  });

  test('below 95 % is only proposed', () => {
    const first = decideRefresh(live, { date, energyKwh: 37.9 }, 1, null);
    expect(first).toMatchObject({ row: null, revision: false, proposalKwh: 37.9 });
    expect(first.note).toContain('94 %');
  });

  test('is taken when the next refresh agrees within 0.1 kWh', () => {
    expect(decideRefresh(live, { date, energyKwh: 30 }, 2, 30.1)).toMatchObject({
      row: { todayEnergyKwh: 30 },
      revision: true,
      proposalKwh: null,
    });
  });

  test('is proposed anew when the next refresh disagrees', () => {
    expect(decideRefresh(live, { date, energyKwh: 30 }, 2, 30.2)).toMatchObject({
      row: null,
      proposalKwh: 30,
    });
  });

  test('forgets the proposal when the series takes it back', () => {
    expect(decideRefresh(live, { date, energyKwh: 40 }, 2, 30)).toMatchObject({
      proposalKwh: null,
    });
    expect(decideRefresh(live, { date, energyKwh: null }, 2, 30)).toMatchObject({
      proposalKwh: null,
    });
  });

  test('needs no second opinion over an incomplete day, or over an earlier series value', () => {
    expect(decideRefresh(incomplete, { date, energyKwh: 10 }, 1, null).row).toMatchObject({
      todayEnergyKwh: 10,
    });
    const backfilled: DayRow = { ...live, quality: 'BACKFILLED' };
    expect(decideRefresh(backfilled, { date, energyKwh: 10 }, 1, null).row).toMatchObject({
      todayEnergyKwh: 10,
    });
  });
});

describe('FINAL', () => {
  test('comes at D+3 and not at D+2', () => {
    expect(decideRefresh(live, { date, energyKwh: 41 }, 2, null).row?.quality).toBe('BACKFILLED');
    expect(decideRefresh(live, { date, energyKwh: 41 }, 3, null).row).toMatchObject({
      quality: 'FINAL',
      todayEnergyKwh: 41,
    });
  });

  test('comes at D+3 also where the series says nothing or proposes too little', () => {
    expect(decideRefresh(live, { date, energyKwh: null }, 3, null).row).toEqual({
      ...live,
      quality: 'FINAL',
    });
    expect(decideRefresh(live, { date, energyKwh: 10 }, 3, null)).toEqual({
      row: { ...live, quality: 'FINAL' },
      revision: false,
      proposalKwh: null,
      note: expect.any(String) as unknown,
    });
  });

  test('comes with a confirmed lower total', () => {
    expect(decideRefresh(live, { date, energyKwh: 10 }, 3, 10).row).toMatchObject({
      quality: 'FINAL',
      todayEnergyKwh: 10,
    });
  });

  test('is frozen', () => {
    const final: DayRow = { ...live, quality: 'FINAL' };
    expect(decideRefresh(final, { date, energyKwh: 41 }, 4, null)).toMatchObject({
      row: null,
      revision: false,
    });
  });
});

test('a day that still runs is left to live readings', () => {
  expect(decideRefresh(live, { date, energyKwh: 50 }, 0, null)).toMatchObject({
    row: null,
    revision: false,
  });
});

test('a revision is told exactly where the energy changed, and a day never loses quality', () => {
  const order = ['LIVE', 'BACKFILLED', 'FINAL'];
  fc.assert(
    fc.property(
      fc.constantFrom<DayRow['quality']>('LIVE', 'BACKFILLED', 'FINAL'),
      fc.boolean(),
      fc.nat({ max: 50 }),
      fc.option(fc.nat({ max: 50 })),
      fc.integer({ min: 1, max: 5 }),
      fc.option(fc.nat({ max: 50 })),
      (quality, complete, todayEnergyKwh, seriesKwh, ageDays, proposalKwh) => {
        const row = sampleDay(date, { quality, complete, todayEnergyKwh });
        const after = decideRefresh(row, { date, energyKwh: seriesKwh }, ageDays, proposalKwh);
        const energyAfter = after.row?.todayEnergyKwh ?? todayEnergyKwh;
        const qualityAfter = after.row?.quality ?? quality;
        expect(after.revision).toBe(energyAfter !== todayEnergyKwh);
        expect(order.indexOf(qualityAfter)).toBeGreaterThanOrEqual(order.indexOf(quality));
        if (quality === 'FINAL') expect(after.row).toBeNull();
        if (ageDays >= 3) expect(qualityAfter).toBe('FINAL');
        if (todayEnergyKwh > 0) expect(energyAfter).toBeGreaterThan(0);
        if (energyAfter !== todayEnergyKwh) expect(energyAfter).toBe(seriesKwh);
      },
    ),
  );
});
