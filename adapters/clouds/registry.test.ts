import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { brands } from '../../domain/plants/plant.ts';
import { loadPlants } from './recorded/fixture-form.ts';
import { packagedFixturesDir } from './recorded/fixture-transport.ts';
import { createFixtureAdapter, registry } from './registry.ts';
import { SessionStore } from './session.ts';

const noon = new Date('2026-06-11T12:03:20Z');

function adapterOf(brand: (typeof brands)[number], vendorPlantId: string, isAway = false) {
  const plant = {
    vendorPlantId,
    timezone: 'Europe/Amsterdam',
    capacityKw: null,
    latitude: 52.1,
    longitude: 5.2,
  };
  const { credentialFields } = registry[brand].definition;
  const adapter = createFixtureAdapter({
    brand,
    plant,
    credentials: Object.fromEntries(
      credentialFields.map((field) => [field, field === 'host' ? 'eu1' : `test-${field}`]),
    ),
    session: new SessionStore(),
    now: noon,
    signal: new AbortController().signal,
    isAway,
  });
  return { adapter, plant };
}

describe.each(brands)('%s in the registry', (brand) => {
  const { definition } = registry[brand];

  test('with its cloud away is VENDOR_ERROR, whatever is asked', async () => {
    const { adapter, plant } = adapterOf(brand, 'any', true);
    const refusal = { type: 'VENDOR_ERROR' };
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject(refusal);
    await expect(adapter.getAlarmsSince(plant, new Date(0))).rejects.toMatchObject(refusal);
  });

  test('is complete: definition, README, fixtures, the suite of all adapters', () => {
    expect(definition.brand).toBe(brand);
    const folder = join(import.meta.dirname, brand.toLowerCase());
    expect(existsSync(join(folder, 'README.md'))).toBe(true);
    expect(readFileSync(join(folder, 'adapter.test.ts'), 'utf8')).toContain('testAdapter({');
    expect(loadPlants(packagedFixturesDir, brand).length).toBeGreaterThan(20);
  });

  test('has any number of ordinary plants of 4 to 200 kW for demonstrations', async () => {
    const id = {
      SOLIS: '1300000000000000042',
      HUAWEI: 'NE=90000042',
      GOODWE: '00000000-0000-4000-8000-000000000042',
      DELE: '90000042',
    }[brand];
    const { adapter, plant } = adapterOf(brand, id);
    const { todayEnergyKwh } = await adapter.getPlantSummary(plant);
    expect(todayEnergyKwh).toBeGreaterThan(4);
    expect(todayEnergyKwh).toBeLessThan(200 * 4.5);
  });
});

describe('createFixtureAdapter', () => {
  test('asks the alarms of a plant as often as plants.json says, and changes nothing else', () => {
    const [cycle] = loadPlants(packagedFixturesDir, 'SOLIS').filter(
      ({ scenario }) => scenario === 'fault-cycle-6min',
    );
    expect(cycle?.alarm_interval_s).toBe(60);
    const usual = adapterOf('SOLIS', '1300000000000000042').adapter.capabilities();
    const quick = adapterOf('SOLIS', cycle?.match.slice(1, -1) ?? '').adapter.capabilities();
    expect(usual.alarmIntervalS).toBe(900);
    expect(quick).toEqual({ ...usual, alarmIntervalS: 60 });
  });

  test('keeps what the vendor knows apart from what the adapter was given', async () => {
    const plant = {
      vendorPlantId: '1300000000000000042',
      timezone: 'Europe/Amsterdam',
      capacityKw: 10,
      latitude: null,
      longitude: null,
    };
    const adapter = createFixtureAdapter({
      brand: 'SOLIS',
      plant,
      credentials: { keyId: 'new', keySecret: 'mistyped' },
      knownCredentials: { keyId: 'new', keySecret: 'right' },
      session: new SessionStore(),
      now: noon,
      signal: new AbortController().signal,
    });
    expect(await adapter.testConnection()).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
  });
});
