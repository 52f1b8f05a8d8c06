import { describe, expect } from 'vitest';

import type { OpenAdapter } from '../../activities/plants/vendor.ts';
import { createFixtureTransport } from '../../adapters/clouds/recorded/fixture-transport.ts';
import { registry } from '../../adapters/clouds/registry.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import { type Brand, brands } from '../../domain/plants/plant.ts';
import { chaosRounds, expectCleanAudit, pollRows } from '../support/chaos.ts';
import { addPlant, eventually } from '../support/fleet.ts';
import { fleet, test } from '../support/test-loops.ts';
import { findPlaying } from '../support/scenarios.ts';
import { slowVendor } from '../support/vendor.ts';

/** A short while for `npm test`, two minutes for the full proof. */
const hangMs = chaosRounds > 1 ? 120_000 : 12_000;
const hangingBrand: Brand = 'HUAWEI';
/** Polled often while others are in trouble. */
const intervalS = 3;
/** Three of the brand that hangs open its breaker; the others meet it open. */
const oftenOf = (brand: Brand) => (brand === hangingBrand ? 6 : 2);
const oftenCount = brands.reduce((sum, brand) => sum + oftenOf(brand), 0);
/** How much later a median poll may be on a busy machine without being later because of another brand. */
const latenessMs = 500;

/** Scenarios in which the vendor's answer is an attack or rubbish. */
const hostileScenarios = [
  'oversized',
  'too-deep',
  'energy-nan',
  'html-instead-of-json',
  'truncated-json',
];

/** What is done to the bodies of ordinary SOLIS plants, by vendor id. */
const spoilers: Readonly<Record<string, (body: string) => string>> = {
  '1300000000000070001': (body) => body.replaceAll(energyAndPower, '$11e308'),
  '1300000000000070002': (body) => body.replaceAll(energyAndPower, '$1-1e999'),
};
const energyAndPower = /("(?:dayEnergy|allEnergy|power)":\s*)[\d.]+/g;
/** Every object of this plant's answers has a key `__proto__`, which changes nothing. */
const protoPlant = '1300000000000070003';
const withProto = (body: string) =>
  body.replaceAll(/(^|[:[,]\s*)\{(?!\s*\}|\\)/g, '$1{"__proto__":{"polluted":true},');

function ordinaryId(brand: Brand, n: number): string {
  return {
    SOLIS: `13000000000000${10_000 + n}`,
    HUAWEI: `NE=${90_000_000 + n}`,
    GOODWE: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    DELE: `${90_000_000 + n}`,
  }[brand];
}

const vendor = slowVendor();
/** The fixtures, slow where `vendor` says so, with bodies spoilt where `spoilers` say so. */
const openAdapter: OpenAdapter = (options) => {
  const { brand, plant, credentials, now } = options;
  const { vendorPlantId } = plant;
  const spoil = vendorPlantId === protoPlant ? withProto : spoilers[vendorPlantId];
  if (spoil === undefined) return vendor.openAdapter(options);
  const { definition, vendor: side } = registry[brand];
  const fixture = createFixtureTransport({
    brand,
    vendor: side,
    plant,
    knownCredentials: credentials,
    now,
  });
  return definition.create({
    ...options,
    transport: async (request, control) => {
      const response = await fixture(request, control);
      return { ...response, body: spoil(response.body) };
    },
  });
};

test.override('workerOptions', { openAdapter });

describe('a vendor in trouble', () => {
  test.beforeAll(async () => {
    for (const brand of brands) {
      for (let n = 1; n <= oftenOf(brand); n += 1) {
        await add(`often-${brand}-${n}`, brand, ordinaryId(brand, n), intervalS);
      }
    }
  });

  async function add(
    id: string,
    brand: Brand,
    vendorPlantId: string,
    everyS: number,
  ): Promise<void> {
    await addPlant(fleet.db, fleet.config, { id, brand, vendorPlantId, intervalS: everyS });
    await startLoop(fleet.client, { id, name: id, brand });
  }

  async function rowsOf(choose: (row: PollLogRow) => boolean): Promise<PollLogRow[]> {
    return (await pollRows(fleet.db)).filter(choose);
  }

  test('one vendor hangs: the others are polled as before, and its own tasks are soon held no more', async () => {
    const isOther = (row: PollLogRow) => !row.plant_id.includes(hangingBrand);
    await eventually('a quiet while', async () => (await rowsOf(isOther)).length >= 24, 60_000);
    const beganAt = new Date();
    const isHeld = (one: (typeof vendor.calls)[number]) =>
      one.brand === hangingBrand && one.startedAtMs >= beganAt.getTime();
    // Three local fetches cut by their budget open the breaker.
    const openedAtMs = () =>
      vendor.calls.filter((one) => isHeld(one) && one.aborted)[2]?.endedAtMs ?? NaN;
    vendor.hold(hangingBrand);
    await delay(hangMs);
    await eventually('calls of the open breaker', async () => {
      return vendor.calls.filter(isHeld).some((one) => one.startedAtMs > openedAtMs());
    });
    vendor.release(hangingBrand);
    const endedAt = new Date();
    const others = await rowsOf(isOther);
    const before = others.filter((row) => row.scheduled_for < beganAt && row.trigger !== 'START');
    const during = others.filter(
      (row) => row.scheduled_for >= beganAt && row.scheduled_for < endedAt,
    );
    expect(during.length).toBeGreaterThan(hangMs / 1_000);
    expect(during.filter((row) => !isOk(row))).toEqual([]);
    expect(medianLateMs(during)).toBeLessThan(medianLateMs(before) + latenessMs);

    const later = vendor.calls.filter(isHeld).filter((one) => one.startedAtMs > openedAtMs());
    expect(later.filter((one) => one.aborted)).toEqual([]);

    await eventually('polls of the brand that hung', async () => {
      const after = await rowsOf((row) => !isOther(row) && row.scheduled_for > endedAt);
      return new Set(after.filter(isOk).map((row) => row.plant_id)).size === oftenOf(hangingBrand);
    });
    await expectCleanAudit(fleet);
  });

  test('hostile bodies end in rows that say so, and nobody else notices', async () => {
    const hostile = brands.flatMap((brand) =>
      hostileScenarios.flatMap((scenario) => {
        const vendorPlantId = findPlaying(brand, scenario)?.vendorPlantId;
        if (vendorPlantId === undefined) return [];
        return [{ id: `${brand}-${scenario}`, brand, vendorPlantId }];
      }),
    );
    for (const vendorPlantId of Object.keys(spoilers)) {
      hostile.push({ id: `spoilt-${vendorPlantId}`, brand: 'SOLIS', vendorPlantId });
    }
    for (const { id, brand, vendorPlantId } of hostile) await add(id, brand, vendorPlantId, 600);
    await add('proto', 'SOLIS', protoPlant, 600);
    const rows = await eventually(
      'a row of every plant',
      async () => {
        const found = await rowsOf((row) => !row.plant_id.startsWith('often'));
        // A plant whose slot follows its first poll has two rows already.
        const plants = new Set(found.map((row) => row.plant_id));
        return plants.size === hostile.length + 1 && found;
      },
      90_000,
    );
    const told = new Map(rows.map((row) => [row.plant_id, row]));
    for (const { id } of hostile) {
      expect(told.get(id)).toMatchObject({
        status: 'ERROR',
        outcome: 'FAILED',
        adapter_error_type: 'INVALID_DATA_FORMAT',
        today_energy_kwh: null,
      });
    }
    expect(told.get('proto')).toMatchObject({ status: 'SUCCESS', outcome: 'OK' });
    expect({}).not.toHaveProperty('polluted');
    const now = new Date();
    await eventually('polls of every other plant', async () => {
      const after = await rowsOf(
        (row) => row.plant_id.startsWith('often') && row.scheduled_for > now,
      );
      return new Set(after.filter(isOk).map((row) => row.plant_id)).size === oftenCount;
    });
    await expectCleanAudit(fleet);
  });
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isOk({ outcome }: PollLogRow): boolean {
  return outcome === 'OK';
}

function medianLateMs(rows: readonly PollLogRow[]): number {
  const late = rows.flatMap((row) => (row.late_ms === null ? [] : [row.late_ms]));
  return late.toSorted((a, b) => a - b)[Math.floor(late.length / 2)] ?? NaN;
}
