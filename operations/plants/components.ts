import { type Component, type Fact, valueOf } from '../diagnosis.ts';
import { servedQueue } from '../queues.ts';
import { pulse } from './figures.ts';
import { inspectPlants } from './inspect.ts';
import { createPlantLoops } from './loops.ts';
import type { PollingPulse } from '../../db/plants/polling.ts';
import { brands } from '../../domain/plants/plant.ts';
import { hasStopped } from '../../domain/stopped.ts';
import { counted, durationText } from '../../domain/wording.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import { pollQueue } from '../../workflows/plants/messages.ts';

/** The plants' components of the diagnosis: a worker for each brand, a loop for each plant, and polls in time. */

/** The workers of each brand's queue, which poll its plants. */
export const plantQueues = brands.map((brand) =>
  servedQueue(pollQueue(brand), async (_, look) => {
    const { byBrand } = valueOf(await look(pulse));
    const active = byBrand[brand]?.active ?? 0;
    return active === 0 ? null : counted(active, 'plant waits', 'plants wait');
  }),
);

export interface LoopCounts {
  running: number;
  plants: number;
  active: number;
}

export const loopCounts: Fact<LoopCounts> = async ({ temporal }, look) => {
  const [running, polling] = await Promise.all([createPlantLoops(temporal).count(), look(pulse)]);
  const { plants, active } = valueOf(polling);
  return { running, plants, active };
};

export const loops: Component<LoopCounts> = {
  name: 'loops',
  fact: loopCounts,
  judge({ running, plants }) {
    const sentence = `${counted(running, 'loop runs', 'loops run')} for ${counted(plants, 'plant')}.`;
    return running === plants
      ? { state: 'ok', sentence }
      : {
          state: 'degraded',
          sentence,
          advice: `The reconciliation repairs this within a minute. If it does not, check that a worker serves ${fleetQueue}.`,
        };
  },
  away: {
    state: 'degraded',
    sentence: 'Whether each plant has its loop is not known while a service is away.',
  },
  inspection: inspectPlants,
};

export const polling: Component<PollingPulse> = {
  name: 'polling',
  part: 'plants',
  fact: pulse,
  judge({ active, unpolled, byBrand, newestRowAt }, { takenAtMs }) {
    const age = newestRowAt === null ? null : Math.max(0, takenAtMs - newestRowAt.getTime());
    const newest =
      age === null ? 'there is no row yet' : `the newest row is ${durationText(age)} old`;
    if (unpolled === 0)
      return {
        state: 'ok',
        sentence: `${active} of ${active} ACTIVE plants were polled in time; ${newest}.`,
      };
    const late = Object.entries(byBrand).filter(([, counts]) => counts.unpolled > 0);
    const where = late.map(([brand, counts]) => `${counts.unpolled} ${brand}`).join(', ');
    const sentence = `${unpolled} of ${active} ACTIVE plants were not polled for 2 intervals and a minute (${where}); ${newest}.`;
    return hasStopped(unpolled, active)
      ? {
          state: 'down',
          sentence,
          advice:
            'Monitoring of these plants has stopped: look at the other checks, then at the log of the worker.',
        }
      : {
          state: 'degraded',
          sentence,
          advice: 'Look at the plants that are not polled: `heliograph plants list` names them.',
        };
  },
  away: {
    state: 'down',
    sentence: 'Whether plants are polled is not known while PostgreSQL is away.',
  },
  inspection: inspectPlants,
};
