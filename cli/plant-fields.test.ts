import { describe, expect, test } from 'vitest';

import type { PlantField } from '../domain/plants/plant-draft.ts';
import { FieldProblem, plantFields, readPlantDraft } from './plant-fields.ts';

const problemOf = (field: PlantField, text: string): string => {
  try {
    plantFields[field](text);
  } catch (error) {
    if (error instanceof FieldProblem) return error.message;
    throw error;
  }
  return '';
};

const complete = {
  id: 'canal',
  name: 'Canal House',
  brand: 'SOLIS',
  account: 'solis-main',
  vendor_plant_id: '1298491919448631801',
  timezone: 'Europe/Amsterdam',
};

describe('a value of a plant', () => {
  test('takes an interval of 1 and of 86,400 seconds, and none outside', () => {
    expect([plantFields.interval('1'), plantFields.interval('86400')]).toEqual([1, 86_400]);
    for (const text of ['0', '86401', '1e9', '1000000000', '-1', '1.5', '60s', ' ', '٣', '0x10']) {
      expect(problemOf('interval', text), text).toMatch(
        /^must be a whole number of seconds from 1 to 86400, not /,
      );
    }
  });

  test('takes a brand in any case, and names all four where it is none', () => {
    expect(plantFields.brand('solis')).toBe('SOLIS');
    expect(['DELE', 'DEYE', 'Deye'].map(plantFields.brand)).toEqual(['DELE', 'DELE', 'DELE']);
    expect(problemOf('brand', 'ACME')).toBe('must be SOLIS, HUAWEI, GOODWE or DELE, not ACME');
  });

  test('takes degrees up to the poles and the date line, and none beyond', () => {
    expect([
      plantFields.latitude('-90'),
      plantFields.longitude('+180'),
      plantFields.latitude('.5'),
    ]).toEqual([-90, 180, 0.5]);
    for (const text of ['90.0001', '1e1', '52,37', 'NaN', 'Infinity', '0x10', '.', '']) {
      if (text !== '')
        expect(problemOf('latitude', text), text).toContain('must be degrees from -90 to 90');
    }
    expect(problemOf('longitude', '-180.1')).toContain('must be degrees from -180 to 180');
  });

  test('takes more than 0 kW and at most 10 GW', () => {
    expect([plantFields.capacity_kw('0.4'), plantFields.capacity_kw('10000000')]).toEqual([
      0.4, 10_000_000,
    ]);
    expect(problemOf('capacity_kw', '0')).not.toBe('');
    expect(problemOf('capacity_kw', '10000001')).not.toBe('');
  });

  test('takes the empty text for none where there may be none', () => {
    expect([
      plantFields.customer(''),
      plantFields.latitude(''),
      plantFields.capacity_kw(''),
    ]).toEqual([null, null, null]);
    expect(problemOf('name', '')).toContain('not empty');
  });

  test('takes names of zones, and neither offsets nor invented ones', () => {
    expect(plantFields.timezone('America/Argentina/Buenos_Aires')).toBe(
      'America/Argentina/Buenos_Aires',
    );
    for (const text of ['+01:00', 'Mars/Base', 'Europe', ''])
      expect(problemOf('timezone', text), text).toContain('must be the name of a zone');
  });

  test('takes an id of 64 characters, and none that could be a flag, a path or a pattern', () => {
    expect(plantFields.id('a'.repeat(64))).toHaveLength(64);
    for (const text of ['a'.repeat(65), '-x', '.x', 'a/b', 'a b', 'ä', ''])
      expect(problemOf('id', text), text).not.toBe('');
  });

  test("knows a vendor's long number that a spreadsheet has rounded", () => {
    expect(problemOf('vendor_plant_id', '1.29849E+18')).toContain('as a spreadsheet rounds it');
    expect(problemOf('vendor_plant_id', '1,29849e+18')).toContain('as a spreadsheet rounds it');
    expect(plantFields.vendor_plant_id('NE=35000001')).toBe('NE=35000001');
    expect(plantFields.vendor_plant_id('5E3')).toBe('5E3');
  });

  test('is told back without what a terminal would obey, and not at length', () => {
    expect(problemOf('brand', `\u001b[31m${'x'.repeat(100)}`)).toBe(
      `must be SOLIS, HUAWEI, GOODWE or DELE, not  [31m${'x'.repeat(55)}…`,
    );
  });
});

describe('a draft of a plant', () => {
  test('leaves open what was not said', () => {
    const { draft } = readPlantDraft({ ...complete, interval: '', customer: '  ' });
    expect(draft).toEqual({
      ...complete,
      customer: null,
      latitude: null,
      longitude: null,
      capacity_kw: null,
      interval: null,
      status: null,
      status_profile: null,
    });
  });

  test('tells every problem, not only the first', () => {
    const { draft, problems } = readPlantDraft({
      ...complete,
      name: '',
      brand: 'ACME',
      interval: '0',
      status: 'DISABLED_BY_OPERATOR',
    });
    expect(draft).toBeNull();
    expect(problems.map(({ field }) => field)).toEqual(['name', 'brand', 'interval', 'status']);
    expect(problems[0]?.problem).toBe('is missing');
  });
});
