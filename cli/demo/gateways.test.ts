import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createSites, type Sites } from '../../adapters/modbus/site.ts';
import { measure, ordinaryDay } from '../../adapters/clouds/recorded/fixture-day.ts';
import { loadPresets } from '../../adapters/modbus/presets.ts';
import { noQuirks, type Quirks } from '../../domain/gateways/gateway.ts';
import { judgePoll } from '../../domain/gateways/judge.ts';
import { parseNetworks } from '../../domain/gateways/network.ts';
import { pointsOfGateway } from '../../domain/gateways/preset.ts';
import { nothingLearned } from '../../domain/gateways/read-plan.ts';
import {
  discoverSunSpec,
  inListOrder,
  resolvePoints,
  type SunSpecLayout,
} from '../../domain/gateways/sunspec.ts';
import { type Farm, startFarm } from '../../stack/gateways/farm.ts';
import { isPortFree } from '../../stack/ports.ts';
import { demoPlantsAt } from './fleet.ts';
import { demoFarmGateways } from './gateway-devices.ts';
import { demoGateways } from './gateways.ts';

/** The demo's gateways over real sockets, read by the product's own client, presets and rules. */

const noonMs = Date.parse('2026-06-21T10:00:00Z');
const nightMs = Date.parse('2026-06-21T22:00:00Z');
const deadlineMs = 8_000;

let ports: number[];
let farm: Farm;
let sites: Sites;
let nowMs = noonMs;

beforeAll(async () => {
  ports = [];
  for (let port = 30_000 + (process.pid % 1_500); ports.length < 4; port += 1)
    if (await isPortFree(port)) ports.push(port);
  farm = await startFarm({
    gateways: demoFarmGateways(ports),
    listen: 'EACH',
    clock: () => nowMs,
  });
  sites = createSites({ networks: parseNetworks('127.0.0.0/8') });
});
afterAll(async () => {
  sites.close();
  await farm.close();
});

async function layoutOf(host: string, port: number): Promise<SunSpecLayout | null> {
  const found = await discoverSunSpec((address, count) =>
    sites.of(host, port).read({
      unitId: 1,
      function: 3,
      address,
      count,
      quirks: noQuirks,
      deadlineMs,
    }),
  );
  return 'models' in found ? found : null;
}

/** Polls as the walker does. @returns the values and qualities by key. */
async function poll(id: string, atMs: number) {
  nowMs = atMs;
  const draft = demoGateways(ports).find((one) => one.id === id);
  if (draft === undefined) throw new Error(`the demo has no gateway ${id}`);
  const points = pointsOfGateway(draft, loadPresets());
  const layouts = new Map([[1, await layoutOf(draft.host, draft.port)]]);
  const resolved = resolvePoints(points, layouts);
  const quirks: Quirks = { ...noQuirks, ...draft.quirks };
  const raw = await sites.of(draft.host, draft.port).poll({
    points: resolved.points,
    quirksOf: () => quirks,
    learned: nothingLearned,
    deadlineMs,
  });
  const { outcome, values, quality } = judgePoll(
    resolved.list,
    { ...raw, points: inListOrder(resolved, raw.points) },
    {},
    atMs,
  );
  const byKey = Object.fromEntries(points.map(({ key }, n) => [key, values[n]]));
  const bad = points.flatMap(({ key }, n) =>
    (quality?.[n] ?? 0) >= 3 ? [`${key} ${quality?.[n]}`] : [],
  );
  return { outcome, failure: raw.failure?.reason ?? null, byKey, bad };
}

/** What the recorded cloud of the plant shows, W and kWh. */
function cloudOf(plantId: string, atMs: number) {
  const plant = demoPlantsAt(0).find((one) => one.id === plantId);
  if (plant === undefined) throw new Error(`the demo has no plant ${plantId}`);
  const { vendor_plant_id: vendorPlantId, timezone, latitude, longitude } = plant;
  const simulated = { vendorPlantId, timezone, latitude, longitude, capacityKw: 10 };
  return measure(simulated, ordinaryDay, atMs);
}

describe('a gateway of the demo', () => {
  test.each([
    ['canal-inverter', 'solis-canal', 'ac_power_w', 'energy_total_kwh'],
    ['olive-inverter', 'huawei-olive', 'ac_power_w', 'energy_total_kwh'],
    ['wharf-meter', 'goodwe-wharf', 'grid_power_w', 'import_kwh'],
  ])(
    '%s answers all its points, with what the cloud of %s shows',
    async (id, plantId, power, total) => {
      for (const atMs of [noonMs, nightMs]) {
        const { outcome, byKey, bad } = await poll(id, atMs);
        const cloud = cloudOf(plantId, atMs);
        expect({ outcome, bad }).toEqual({ outcome: 'OK', bad: [] });
        // Instants on the cloud's own grid of five minutes: no difference but that of the registers' steps.
        expect(byKey[power]).toBeCloseTo(cloud.powerW, -1);
        expect(byKey[total]).toBeCloseTo(cloud.lifetimeEnergyKwh, 0);
      }
    },
  );

  test('that misbehaves is in trouble from its first minute on, with a reason', async () => {
    const begun = noonMs;
    const { outcome, bad } = await poll('mill-logger', begun);
    expect({ outcome, bad }).toEqual({
      outcome: 'PARTIAL',
      bad: ['frequency_hz 102', 'import_kwh 102'],
    });
    expect(await poll('mill-logger', begun + 2 * 60_000)).toMatchObject({
      outcome: 'FAILED',
      failure: 'FOREIGN_FRAMES',
    });
  });
});
