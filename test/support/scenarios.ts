import { loadPlants } from '../../adapters/clouds/recorded/fixture-form.ts';
import { packagedFixturesDir } from '../../adapters/clouds/recorded/fixture-transport.ts';
import type { Brand } from '../../domain/plants/plant.ts';

/** A plant of plants.json, by what it plays. */
export interface PlayingPlant {
  /** An id of its pattern: the pattern without what makes it one. */
  vendorPlantId: string;
  /** kW; null where plants.json does not say it. */
  capacityKw: number | null;
}

/** The plant that plays a scenario; null where the brand has none. */
export function findPlaying(brand: Brand, scenario: string): PlayingPlant | null {
  const entry = loadPlants(packagedFixturesDir, brand).find((one) => one.scenario === scenario);
  if (entry === undefined) return null;
  return {
    vendorPlantId: entry.match.replace(/^\^/, '').replace(/\$$/, '').replaceAll('\\', ''),
    capacityKw: typeof entry.capacity_kw === 'number' ? entry.capacity_kw : null,
  };
}

/** The plant that plays a scenario. @throws where the brand has none. */
export function playing(brand: Brand, scenario: string): PlayingPlant {
  const plant = findPlaying(brand, scenario);
  if (plant === null) throw new Error(`plants.json of ${brand} has no plant for ${scenario}`);
  return plant;
}
