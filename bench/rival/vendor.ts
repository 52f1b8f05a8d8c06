import { setTimeout as delay } from 'node:timers/promises';

import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { requestTimeoutMs } from '../../adapters/clouds/transport.ts';
import { drawMood, type VendorTemper } from './latency.ts';
import { openVendorLog } from './vendor-log.ts';

/** The vendor's settings for a worker, passed in its environment. */
export interface VendorSettings {
  logFile: string;
  seed: number;
  temper: VendorTemper;
  /** Number of this start of the worker within the row. */
  generation: number;
}

export const vendorVariable = 'BENCH_RIVAL_VENDOR';

export function readVendorSettings(env: NodeJS.ProcessEnv): VendorSettings {
  return JSON.parse(env[vendorVariable] ?? '') as VendorSettings;
}

/** Shorter than the pause before the second attempt, so it costs only that pause. */
const retryAfterMs = 1_000;

/**
 * The production adapters over the fixtures, behind a vendor's latency. Requests for summaries are logged and may hang
 * or be refused; series and alarms only have the latency.
 */
export function createVendorStub(settings: VendorSettings): typeof createFixtureAdapter {
  const { seed, temper, generation } = settings;
  const log = openVendorLog(settings.logFile, generation);
  const callsOf = new Map<string, number>();

  function draw(plant: string) {
    const call = (callsOf.get(plant) ?? 0) + 1;
    callsOf.set(plant, call);
    // Measuring begins after every plant was polled once, so first polls are never delayed.
    const isFirst = generation === 0 && call === 1 && temper.kind === 'ORDINARY';
    return drawMood(isFirst ? { kind: 'CALM' } : temper, seed, `${plant}/${generation}/${call}`);
  }

  return (options) => {
    const adapter = createFixtureAdapter(options);
    const { signal } = options;
    const slow = async <Result>(plant: string, ask: () => Promise<Result>): Promise<Result> => {
      await pause(draw(plant).latencyMs, signal);
      return ask();
    };
    return {
      capabilities: () => adapter.capabilities(),
      testConnection: () => adapter.testConnection(),
      getDailyEnergySeries: (plant, from, to) =>
        slow(plant.vendorPlantId, () => adapter.getDailyEnergySeries(plant, from, to)),
      getAlarmsSince: (plant, since) =>
        slow(plant.vendorPlantId, () => adapter.getAlarmsSince(plant, since)),
      async getPlantSummary(plant) {
        const call = log.begin(plant.vendorPlantId);
        let isAnswered = false;
        try {
          const mood = draw(plant.vendorPlantId);
          if (mood.kind === 'HANG') {
            await pause(requestTimeoutMs, signal);
            throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'the vendor did not answer');
          }
          await pause(mood.latencyMs, signal);
          if (mood.kind === 'RATE_LIMIT')
            throw new AdapterError('RATE_LIMIT_EXCEEDED', 'ACCOUNT', 'too many requests', {
              retryAfterMs,
            });
          const summary = await adapter.getPlantSummary(plant);
          isAnswered = true;
          return summary;
        } finally {
          log.end(call, isAnswered ? 'ANSWERED' : 'FAILED');
        }
      },
    };
  };
}

/** As every transport: rejects with the signal's own reason. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  }
}
