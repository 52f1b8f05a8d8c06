import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../../domain/plants/reading.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import { AdapterError } from '../adapter-error.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  ConnectionTest,
  PlantRef,
  VendorAdapter,
} from '../contract.ts';
import { testedConnection } from '../connection-test.ts';
import { mergeAlarms, seriesOf } from '../fields.ts';
import { plantNotFound, portals, type Portal } from './portal.ts';
import { SemsPortal } from './sems/portal.ts';
import { SemsPlusPortal } from './sems-plus/portal.ts';

const capabilities: Capabilities = {
  measurementTime: true,
  alarmIntervalS: 900,
  // The limit of the vendor's OpenAPI; for the portals none is published.
  seriesDaysMax: 30,
  // None are published. Clients of SEMS ask once a minute; clients of SEMS+ met HTTP 429 at 70 requests a minute.
  budgets: [
    { path: 'GetMonitorDetailByPowerstationId', requests: 1, perS: 60, scope: 'endpoint' },
    { path: 'every path of SEMS+', requests: 60, perS: 60, scope: 'account' },
  ],
};

/** GoodWe over its portals SEMS and SEMS+. Facts and their sources: README.md beside this file. */
export const goodwe: AdapterDefinition = {
  brand: 'GOODWE',
  credentialFields: ['account', 'password'],
  credentialChoices: [{ field: 'portal', values: portals, usual: 'SEMS_PLUS' }],
  create: (deps) => new GoodweAdapter(deps),
};

class GoodweAdapter implements VendorAdapter {
  readonly #portal: Portal;

  constructor(deps: AdapterDeps) {
    const isPlus = deps.credentials['portal'] === 'SEMS_PLUS';
    this.#portal = isPlus ? new SemsPlusPortal(deps) : new SemsPortal(deps);
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      const { apiHost } = await this.#portal.logIn();
      return `logged in; the account is served by ${new URL(apiHost).hostname}`;
    });
  }

  async getPlantSummary(plant: PlantRef): Promise<PlantSummary> {
    return this.#ofPlant(plant, () => this.#portal.getPlantSummary(plant));
  }

  async getDailyEnergySeries(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    const energyByDate = await this.#ofPlant(plant, () => this.#portal.readDays(plant, from, to));
    if (energyByDate.size === 0 && (await this.#portal.isListed(plant.vendorPlantId)) === false) {
      throw plantNotFound();
    }
    return seriesOf(energyByDate, from, to);
  }

  async getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const { alarms, complete } = await this.#ofPlant(plant, () =>
      this.#portal.readAlarms(plant, since),
    );
    return mergeAlarms(alarms, complete);
  }

  /** A refused parameter may be the id of a plant that is not the account's: the account's list decides. */
  async #ofPlant<T>({ vendorPlantId }: PlantRef, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const isBadRequest = error instanceof AdapterError && error.type === 'UNKNOWN';
      if (isBadRequest && (await this.#portal.isListed(vendorPlantId)) === false) {
        throw plantNotFound();
      }
      throw error;
    }
  }
}
