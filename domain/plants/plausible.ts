import type { DraftProblem } from './plant-draft.ts';
import type { Brand } from './plant.ts';
import { durationText } from '../wording.ts';
import { offsetMinutesAt } from '../zone.ts';

/**
 * Values of a plant that are possible and yet probably wrong: a file's swapped columns, a lost digit, a wrong unit. They are
 * warnings, because each of them may be true.
 */

/** What people wrote about a plant, as far as it can look wrong. */
export interface PlantSetting {
  brand: Brand;
  timezone: string;
  latitude: number | null;
  longitude: number | null;
  capacityKw: number | null;
  intervalS: number;
}

/** `warning` continues the field's name: "is 107, …". */
export interface PlantWarning extends Pick<DraftProblem, 'field'> {
  warning: string;
}

/** Rooftops hold less; a larger figure is more often W, or a plant in the open. */
const rooftopKwMax = 1_000;
/** Two panels. A smaller figure is more often MW. */
const capacityKwMin = 0.5;

/** How often a vendor renews the values that it answers, s: as they document it, GoodWe as seen. */
export const brandRefreshS: Readonly<Record<Brand, number>> = {
  SOLIS: 300,
  HUAWEI: 300,
  GOODWE: 60,
  DELE: 300,
};

/** The warnings of one plant, in the order of its fields. */
export function plantWarnings(plant: PlantSetting): PlantWarning[] {
  return [...placeWarnings(plant), ...capacityWarnings(plant), ...intervalWarnings(plant)];
}

interface Place {
  latitude: number;
  longitude: number;
}

function placeWarnings({ latitude, longitude, timezone }: PlantSetting): PlantWarning[] {
  if (latitude === null || longitude === null) return [];
  const wrong = misfit({ latitude, longitude }, timezone);
  if (wrong === null) return [];
  const swapped = { latitude: longitude, longitude: latitude };
  if (Math.abs(longitude) <= 90 && misfit(swapped, timezone) === null) {
    const warning = `is ${latitude} and longitude ${longitude}: the two look swapped, for a plant in the zone ${timezone}`;
    return [{ field: 'latitude', warning }];
  }
  const value = wrong === 'latitude' ? latitude : longitude;
  const warning = `is ${value}, far outside of the zone ${timezone}: check its sign and digits, and the zone`;
  return [{ field: wrong, warning }];
}

/** Bounds of the zones of one area, degrees; a longitude beyond 180 lies across the date line. */
interface Area {
  latitudes: readonly [number, number];
  longitudes: readonly [number, number];
}

/** By the part of a zone's name before the slash. Oceans have no bounds that would say anything. */
const areas: Readonly<Partial<Record<string, Area>>> = {
  Africa: { latitudes: [-36, 38], longitudes: [-26, 60] },
  America: { latitudes: [-56, 84], longitudes: [-180, -30] },
  Asia: { latitudes: [-12, 82], longitudes: [25, 192] },
  Australia: { latitudes: [-45, -9], longitudes: [110, 160] },
  Europe: { latitudes: [34, 72], longitudes: [-11, 70] },
};

/** The widest zone reaches 47° from the meridian of its clock: China's west. */
const fromMeridianMax = 50;

/** The coordinate that does not fit the zone; null if both do. */
function misfit({ latitude, longitude }: Place, timezone: string): keyof Place | null {
  const area = areas[timezone.split('/')[0] ?? ''];
  if (area !== undefined) {
    const [south, north] = area.latitudes;
    const [west, east] = area.longitudes;
    const across = longitude < west ? longitude + 360 : longitude;
    if (across > east) return 'longitude';
    if (latitude < south || latitude > north) return 'latitude';
  }
  return degreesFromMeridian(longitude, timezone) > fromMeridianMax ? 'longitude' : null;
}

/** Winter and summer of one year, in which every zone shows its standard time at least once. */
const seasonsMs = [Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1)];
const minutesPerDegree = 4;

/** How far a longitude is from the meridian whose sun the zone's clock follows, degrees. */
function degreesFromMeridian(longitude: number, timezone: string): number {
  const apart = seasonsMs.map((atMs) => {
    const meridian = offsetMinutesAt(atMs, timezone) / minutesPerDegree;
    const degrees = Math.abs(longitude - meridian) % 360;
    return Math.min(degrees, 360 - degrees);
  });
  return Math.min(...apart);
}

function capacityWarnings({ capacityKw }: PlantSetting): PlantWarning[] {
  if (capacityKw === null) return [];
  const field = 'capacity_kw';
  if (capacityKw > rooftopKwMax)
    return [
      { field, warning: `is ${capacityKw}, more than 1 MW: rooftops hold less; is it in W?` },
    ];
  if (capacityKw < capacityKwMin)
    return [{ field, warning: `is ${capacityKw}, less than two panels: is it in MW?` }];
  return [];
}

function intervalWarnings({ brand, intervalS }: PlantSetting): PlantWarning[] {
  const refreshS = brandRefreshS[brand];
  if (intervalS >= refreshS) return [];
  const every = durationText(refreshS * 1_000);
  const warning = `is ${intervalS} s, and ${brand} renews its values every ${every}: polls in between find nothing new`;
  return [{ field: 'interval', warning }];
}
