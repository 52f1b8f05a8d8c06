import type { OpenAdapter } from '../../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import type { Brand } from '../../domain/plants/plant.ts';

/** A vendor that can be made slow: the fixtures' adapters behind a gate. */
export interface SlowVendor {
  openAdapter: OpenAdapter;
  /** Every summary that was asked, and how it ended. */
  calls: {
    brand: Brand;
    vendorPlantId: string;
    startedAtMs: number;
    endedAtMs: number | null;
    aborted: boolean;
  }[];
  /** Answers to this vendor plant (or brand) wait until `release`. */
  hold(key: string): void;
  release(key: string): void;
  /** Each answer to this vendor plant (or brand) takes so long; 0 ends it. */
  delay(key: string, ms: number): void;
}

export function slowVendor(): SlowVendor {
  const held = new Map<string, { opened: Promise<void>; open: () => void }>();
  const delays = new Map<string, number>();
  const calls: SlowVendor['calls'] = [];
  return {
    calls,
    hold(key) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(key, { opened: promise, open: resolve });
    },
    release(key) {
      held.get(key)?.open();
      held.delete(key);
    },
    delay(key, ms) {
      if (ms === 0) delays.delete(key);
      else delays.set(key, ms);
    },
    openAdapter(options) {
      const adapter = createFixtureAdapter(options);
      const keys = [options.plant.vendorPlantId, options.brand];
      return {
        capabilities: () => adapter.capabilities(),
        testConnection: () => adapter.testConnection(),
        getDailyEnergySeries: (plant, from, to) => adapter.getDailyEnergySeries(plant, from, to),
        getAlarmsSince: (plant, since) => adapter.getAlarmsSince(plant, since),
        async getPlantSummary(plant) {
          const call: SlowVendor['calls'][number] = {
            brand: options.brand,
            vendorPlantId: plant.vendorPlantId,
            startedAtMs: Date.now(),
            endedAtMs: null,
            aborted: false,
          };
          calls.push(call);
          try {
            for (const key of keys) {
              await unlessAborted(held.get(key)?.opened, options.signal);
              const delayMs = delays.get(key);
              if (delayMs !== undefined)
                await unlessAborted(
                  new Promise((resolve) => setTimeout(resolve, delayMs)),
                  options.signal,
                );
            }
            return await adapter.getPlantSummary(plant);
          } catch (error) {
            call.aborted = options.signal.aborted;
            throw error;
          } finally {
            call.endedAtMs = Date.now();
          }
        },
      };
    },
  };
}

/** As every transport: rejects at once when the call is given up. */
async function unlessAborted(
  promise: Promise<void> | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (promise === undefined) return;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const give = () => reject(signal.reason);
  signal.addEventListener('abort', give, { once: true });
  try {
    if (signal.aborted) give();
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', give);
    aborted.catch(() => {});
  }
}
