import { describe, expect, test } from 'vitest';

import { type PlantSetting, plantWarnings } from './plausible.ts';

const rooftop: PlantSetting = {
  brand: 'SOLIS',
  timezone: 'Europe/Zurich',
  latitude: 47.37,
  longitude: 8.54,
  capacityKw: 10,
  intervalS: 600,
};
const warned = (change: Partial<PlantSetting>) =>
  plantWarnings({ ...rooftop, ...change }).map(({ field, warning }) => `${field} ${warning}`);
const at = (timezone: string, latitude: number, longitude: number) =>
  warned({ timezone, latitude, longitude });

describe('the place against the zone', () => {
  test('Zurich at longitude 107', () => {
    expect(at('Europe/Zurich', 47.37, 107)).toEqual([
      'longitude is 107, far outside of the zone Europe/Zurich: check its sign and digits, and the zone',
    ]);
  });

  test.each([
    ['a lost sign', 'Australia/Sydney', 33.87, 151.2, 'latitude is 33.87, far'],
    ['a lost sign of the west', 'America/New_York', 40.7, 74, 'longitude is 74, far'],
    ['an ocean, by its clock alone', 'Pacific/Auckland', -36.8, 17.4, 'longitude is 17.4, far'],
    ['UTC far from Greenwich', 'UTC', 47.37, 108.54, 'longitude is 108.54, far'],
  ])('%s', (_, timezone, latitude, longitude, warning) => {
    expect(at(timezone, latitude, longitude)).toEqual([expect.stringContaining(warning)]);
  });

  test.each([
    ['Europe/Zurich', 8.54, 47.37],
    ['Europe/Madrid', -3.7, 40.42],
    ['Europe/Athens', 23.73, 37.98],
    ['America/Sao_Paulo', -46.63, -23.55],
    ['America/New_York', -74, 40.7],
    ['Africa/Johannesburg', 28.05, -26.2],
    ['Asia/Kolkata', 72.88, 19.08],
  ])('latitude and longitude swapped in %s', (timezone, latitude, longitude) => {
    expect(at(timezone, latitude, longitude)).toEqual([
      `latitude is ${latitude} and longitude ${longitude}: the two look swapped, for a plant in the zone ${timezone}`,
    ]);
  });

  test.each([
    ['Europe/Zurich', 47.37, 8.54],
    ['Europe/Lisbon', 38.72, -9.14],
    ['Europe/Moscow', 67.5, 64],
    ['Europe/Oslo', 71, 25.8],
    ['Atlantic/Canary', 28.1, -15.4],
    ['Atlantic/Reykjavik', 64.1, -21.9],
    ['Africa/Casablanca', 33.6, -7.6],
    ['Asia/Shanghai', 39.47, 75.99],
    ['Asia/Anadyr', 64.7, -172],
    ['America/Argentina/Ushuaia', -54.8, -68.3],
    ['America/Adak', 51.9, -176.6],
    ['America/Recife', -8.05, -34.9],
    ['Pacific/Kiritimati', 1.9, -157.4],
    ['Pacific/Chatham', -44, -176.5],
    ['Australia/Perth', -31.95, 115.86],
  ])('%s with a plant at its edge is fine', (timezone, latitude, longitude) => {
    expect(at(timezone, latitude, longitude)).toEqual([]);
  });

  test('says nothing of a place that is not known', () => {
    expect(warned({ latitude: null, longitude: null })).toEqual([]);
  });
});

describe('capacity', () => {
  test.each([
    [1_000, null],
    [1_000.1, 'capacity_kw is 1000.1, more than 1 MW: rooftops hold less; is it in W?'],
    [0.5, null],
    [0.49, 'capacity_kw is 0.49, less than two panels: is it in MW?'],
    [null, null],
  ])('%s kW', (capacityKw, warning) => {
    expect(warned({ capacityKw })).toEqual(warning === null ? [] : [warning]);
  });
});

describe('interval', () => {
  test.each([
    ['SOLIS', 299, '5 min'],
    ['HUAWEI', 10, '5 min'],
    ['DELE', 60, '5 min'],
    ['GOODWE', 59, '1 min'],
  ] as const)('of %s every %s s', (brand, intervalS, every) => {
    expect(warned({ brand, intervalS })).toEqual([
      `interval is ${intervalS} s, and ${brand} renews its values every ${every}: polls in between find nothing new`,
    ]);
  });

  test('as long as the refresh is fine', () => {
    expect(warned({ intervalS: 300 })).toEqual([]);
    expect(warned({ brand: 'GOODWE', intervalS: 60 })).toEqual([]);
  });
});
