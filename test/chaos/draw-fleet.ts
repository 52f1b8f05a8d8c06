import { type DemoPlant, generatedPlant } from '../../cli/demo/fleet.ts';
import { brands } from '../../domain/plants/plant.ts';
import { type Grid, phaseMs } from '../../domain/slots.ts';
import { randomOf } from '../../simulate/random.ts';
import { findPlaying } from '../support/scenarios.ts';

/** A plant of a chaos run. */
export interface ChaosPlant extends DemoPlant {
  intervalS: number;
  role: PlantRole;
}

/**
 * EVERY_SECOND: 20 of its slots pass in 20 s, and its lock lives for 2 s; each brand has one. STORY: a scenario that an
 * ordinary fleet has. REFUSED: a vendor that answers with errors, whose credentials must not come out with them. ORDINARY:
 * all others.
 */
export type PlantRole = 'EVERY_SECOND' | 'STORY' | 'REFUSED' | 'ORDINARY';

/** So many polls a second are a load at which two cores are not busy, and lateness says something. */
const ordinaryPollsPerS = 10;
/** Fewer would leave no plants to draw from. */
export const plantsMin = 40;

/** What an ordinary fleet meets; a brand plays those of them that it has recorded. */
const storyScenarios = [
  'asleep-at-night',
  'offline-26h',
  'stale-5h',
  'silent-6h',
  'energy-20-percent',
  'alarm-open',
  'alarm-twice',
  'alarm-page-2',
  'fault-cycle-6min',
  'one-inverter-dead',
  'numbers-as-text',
  'unknown-fields',
];
const storiesPerBrand = 4;
/** One a brand: their errors quote what they can. */
const refusedScenarios = ['wrong-password', 'http-500', 'html-instead-of-json', 'truncated-json'];

/** How often the ordinary plants of a fleet are polled. */
export function ordinaryIntervalS(plants: number): number {
  return Math.max(5, Math.round(plants / ordinaryPollsPerS));
}

/** When a plant is polled. */
export function gridOf({ id, intervalS }: Pick<ChaosPlant, 'id' | 'intervalS'>): Grid {
  const intervalMs = intervalS * 1_000;
  return { intervalMs, phaseMs: phaseMs(id, intervalMs) };
}

/** The fleet of a seed: so many plants of all four brands. */
export function drawFleet(seed: string, plants: number): ChaosPlant[] {
  const random = randomOf('fleet', seed);
  const intervalS = ordinaryIntervalS(plants);
  const fleet: ChaosPlant[] = [];
  let ordinary = 0;
  const addOrdinary = (id: string | null, everyS: number, role: PlantRole) => {
    const plant = generatedPlant(ordinary++);
    fleet.push({
      ...plant,
      id: id === null ? plant.id : `${id}-${plant.brand.toLowerCase()}`,
      intervalS: everyS,
      role,
    });
  };
  for (const _ of brands) addOrdinary('second', 1, 'EVERY_SECOND');
  const refused = shuffled(random.next, refusedScenarios);
  for (const [n, brand] of brands.entries()) {
    const like = generatedPlant(n);
    const stories = shuffled(random.next, storyScenarios).flatMap(
      (scenario) => findPlaying(brand, scenario)?.vendorPlantId ?? [],
    );
    for (const [nth, vendorPlantId] of stories.slice(0, storiesPerBrand).entries()) {
      const id = `story-${brand.toLowerCase()}-${nth}`;
      fleet.push({ ...like, id, vendor_plant_id: vendorPlantId, intervalS, role: 'STORY' });
    }
    const vendorPlantId = findPlaying(brand, refused[n] ?? '')?.vendorPlantId;
    if (vendorPlantId !== undefined) {
      const id = `refused-${brand.toLowerCase()}`;
      // Refused credentials pause all plants of their account.
      fleet.push({
        ...like,
        id,
        account: id,
        vendor_plant_id: vendorPlantId,
        intervalS,
        role: 'REFUSED',
      });
    }
  }
  while (fleet.length < plants) addOrdinary(null, intervalS, 'ORDINARY');
  return fleet;
}

/** The same items in an order that `next` (0 ≤ x < 1) draws. */
export function shuffled<T>(next: () => number, items: readonly T[]): T[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(Math.floor(next() * rest.length), 1));
}
