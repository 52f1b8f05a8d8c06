import type { Brand } from '../../domain/plants/plant.ts';
import { UnusableCredentials } from './adapter-error.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  Credentials,
  VendorAdapter,
} from './contract.ts';
import { dele } from './dele/adapter.ts';
import { deleVendor } from './recorded/dele.ts';
import {
  createFixtureTransport,
  packagedFixturesDir,
  plantEntry,
  type FixtureTransportOptions,
} from './recorded/fixture-transport.ts';
import { goodwe } from './goodwe/adapter.ts';
import { goodweVendor } from './recorded/goodwe.ts';
import { huawei } from './huawei/adapter.ts';
import { huaweiVendor } from './recorded/huawei.ts';
import { solis } from './solis/adapter.ts';
import { solisVendor } from './recorded/solis.ts';
import type { VendorSide } from './recorded/vendor-side.ts';

export interface RegistryEntry {
  definition: AdapterDefinition;
  /** The vendor's side of the fixture transport. */
  vendor: VendorSide;
}

/** Every brand that is polled. */
export const registry: Readonly<Record<Brand, RegistryEntry>> = {
  SOLIS: { definition: solis, vendor: solisVendor },
  HUAWEI: { definition: huawei, vendor: huaweiVendor },
  GOODWE: { definition: goodwe, vendor: goodweVendor },
  DELE: { definition: dele, vendor: deleVendor },
};

/**
 * Why no request can be made with these credentials, which have all fields of the brand; null if one can. Only the vendor
 * knows whether they are right.
 */
export function credentialProblem(brand: Brand, credentials: Credentials): string | null {
  try {
    registry[brand].definition.checkCredentials?.(credentials);
    return null;
  } catch (error) {
    if (error instanceof UnusableCredentials) return error.message;
    throw error;
  }
}

export interface FixtureAdapterOptions
  extends
    Omit<AdapterDeps, 'transport'>,
    Pick<FixtureTransportOptions, 'brand' | 'plant' | 'isAway' | 'fixturesDir'> {
  /** What the vendor has on its books; the given credentials unless said. */
  knownCredentials?: FixtureTransportOptions['knownCredentials'];
}

/**
 * An adapter over the fixtures of one plant, for one call chain. `alarm_interval_s` of plants.json replaces, for that
 * plant, how often alarms are asked.
 */
export function createFixtureAdapter(options: FixtureAdapterOptions): VendorAdapter {
  const { brand, plant, credentials, session, now, signal } = options;
  const {
    fixturesDir = packagedFixturesDir,
    knownCredentials = credentials,
    isAway = false,
  } = options;
  const { definition, vendor } = registry[brand];
  const transport = createFixtureTransport({
    brand,
    vendor,
    plant,
    knownCredentials,
    now,
    isAway,
    fixturesDir,
  });
  const adapter = definition.create({ transport, credentials, session, now, signal });
  const alarmIntervalS = plantEntry(fixturesDir, brand, plant.vendorPlantId)?.alarm_interval_s;
  return alarmIntervalS === undefined ? adapter : withCapabilities(adapter, { alarmIntervalS });
}

function withCapabilities(adapter: VendorAdapter, changed: Partial<Capabilities>): VendorAdapter {
  return {
    capabilities: () => ({ ...adapter.capabilities(), ...changed }),
    testConnection: () => adapter.testConnection(),
    getPlantSummary: (plant) => adapter.getPlantSummary(plant),
    getDailyEnergySeries: (plant, from, to) => adapter.getDailyEnergySeries(plant, from, to),
    getAlarmsSince: (plant, since) => adapter.getAlarmsSince(plant, since),
  };
}
