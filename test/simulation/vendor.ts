import type { OpenAdapter } from '../../activities/plants/vendor.ts';
import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { scopeOf } from '../../domain/plants/failure.ts';
import type { AdapterErrorType } from '../../domain/plants/plant.ts';

/** A time in which a vendor answers the plant's summary with an error, by the poll's clock. */
export interface Incident {
  fromMs: number;
  toMs: number;
  type: AdapterErrorType;
  message: string;
  retryAfterMs?: number;
  /** Only the first so many requests; all of them unless said. */
  times?: number;
}

/** A request that reached a vendor. */
export interface VendorCall {
  vendorPlantId: string;
  what: 'summary' | 'series';
  atMs: number;
}

/** The fixtures' vendors, with incidents, and a record of who asked what. */
export function simulatedVendors(
  plants: readonly { vendorPlantId: string; incidents?: readonly Incident[] }[],
): { openAdapter: OpenAdapter; calls: VendorCall[] } {
  const calls: VendorCall[] = [];
  const incidentsOf = new Map(plants.map((plant) => [plant.vendorPlantId, plant.incidents ?? []]));
  const met = new Map<Incident, number>();

  function meet(vendorPlantId: string, nowMs: number): void {
    for (const incident of incidentsOf.get(vendorPlantId) ?? []) {
      const times = met.get(incident) ?? 0;
      if (nowMs < incident.fromMs || nowMs >= incident.toMs) continue;
      if (times >= (incident.times ?? Infinity)) continue;
      met.set(incident, times + 1);
      const { type, message, retryAfterMs } = incident;
      const more = retryAfterMs === undefined ? {} : { retryAfterMs };
      throw new AdapterError(type, scopeOf({ type }), message, more);
    }
  }

  return {
    calls,
    openAdapter(options) {
      const adapter = createFixtureAdapter(options);
      const { vendorPlantId } = options.plant;
      const atMs = options.now.getTime();
      return {
        capabilities: () => adapter.capabilities(),
        testConnection: () => adapter.testConnection(),
        async getPlantSummary(plant) {
          calls.push({ vendorPlantId, what: 'summary', atMs });
          meet(vendorPlantId, atMs);
          return adapter.getPlantSummary(plant);
        },
        async getDailyEnergySeries(plant, from, to) {
          calls.push({ vendorPlantId, what: 'series', atMs });
          return adapter.getDailyEnergySeries(plant, from, to);
        },
        getAlarmsSince: (plant, since) => adapter.getAlarmsSince(plant, since),
      };
    },
  };
}
