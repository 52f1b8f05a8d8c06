import { describe, expect, test } from 'vitest';

import { createFixtureTransport } from '../../adapters/clouds/recorded/fixture-transport.ts';
import { registry } from '../../adapters/clouds/registry.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import { generatedPlant } from '../../cli/demo/fleet.ts';
import { demoCredentials } from '../../cli/demo/seed.ts';
import { samplePlant } from '../support/plant-facts.ts';
import { brands } from '../../domain/plants/plant.ts';
import { readPlant } from '../../activities/plants/vendor-reading.ts';
import { type HostileBody, hostileBodies, spoilt } from './hostile.ts';

const now = new Date('2026-06-11T10:00:00Z');

describe('hostile bodies', () => {
  for (const [n, brand] of brands.entries()) {
    for (const kind of hostileBodies) {
      test(`${kind} of ${brand} is refused with its type, whatever the session was`, async () => {
        for (const loggedIn of [true, false]) {
          expect(await ask(n, kind, loggedIn)).toBe('INVALID_DATA_FORMAT');
        }
        expect({}).not.toHaveProperty('polluted');
      });
    }
  }
});

/** The error's type; OK where there is none. */
async function ask(n: number, kind: HostileBody, loggedIn: boolean): Promise<string> {
  const plant = generatedPlant(n);
  const { definition, vendor } = registry[plant.brand];
  const credentials = demoCredentials(plant.brand, plant.account);
  const side = {
    vendorPlantId: plant.vendor_plant_id,
    timezone: plant.timezone,
    capacityKw: 10,
    latitude: plant.latitude,
    longitude: plant.longitude,
  };
  const fixture = createFixtureTransport({
    brand: plant.brand,
    vendor,
    plant: side,
    knownCredentials: credentials,
    now,
  });
  const session = new SessionStore();
  const { signal } = new AbortController();
  let spoils = !loggedIn;
  const adapter = definition.create({
    credentials,
    session,
    now,
    signal,
    async transport(request, control) {
      const response = await fixture(request, control);
      return spoils ? { ...response, body: spoilt(kind, response.body) } : response;
    },
  });
  if (loggedIn) await adapter.getPlantSummary(side);
  spoils = true;
  const facts = samplePlant({ alarmsCompleteAtMs: null });
  try {
    const reading = await readPlant(adapter, side, facts, {
      oldestVendorAlertMs: null,
      nowMs: now.getTime(),
    });
    return 'type' in reading ? reading.type : 'OK';
  } catch (error) {
    return (error as { type?: string }).type ?? String(error);
  }
}
