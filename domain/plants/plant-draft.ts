import type { Brand, IntegrationStatus } from './plant.ts';
import type { StatusProfile } from '../daylight.ts';
import { hiddenCharacters } from '../hidden-characters.ts';

/** What people may write about a plant, with the limits that hold for flags, files and requests. */

/** As in the database's own check. */
export const intervalSecondsMax = 86_400;
export const capacityKwMax = 10_000_000;
/** Maximum length of names, ids and reasons. */
export const textLengthMax = 200;

export const plantIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** One line with at least one visible character. */
export const visiblePattern = new RegExp(
  String.raw`^[^${hiddenCharacters}]*[^${hiddenCharacters}\p{Z}][^${hiddenCharacters}]*$`,
  'u',
);
export const oneWordPattern = new RegExp(String.raw`^[^\s${hiddenCharacters}]+$`, 'u');

/** Statuses in which a plant can start; the others follow from events. */
export const firstStatuses = [
  'ACTIVE',
  'PENDING_DOCS',
] as const satisfies readonly IntegrationStatus[];

/** A plant as a person wrote it; its account and the configuration supply what is absent. */
export interface PlantDraft {
  id: string;
  name: string;
  brand: Brand;
  account: string;
  vendor_plant_id: string;
  timezone: string;
  customer: string | null;
  latitude: number | null;
  longitude: number | null;
  capacity_kw: number | null;
  /** null: the interval of new plants. */
  interval: number | null;
  /** null: ACTIVE if the account has credentials. */
  status: (typeof firstStatuses)[number] | null;
  /** null or absent: the profile of new plants if the place is known; else STRICT. */
  status_profile?: StatusProfile | null;
}

/** Why a plant at that place cannot have the profile; null if it can. */
export function profileProblem(
  profile: StatusProfile,
  place: { latitude: number | null; longitude: number | null },
): string | null {
  const isKnown = place.latitude !== null && place.longitude !== null;
  return profile === 'STRICT' || isKnown
    ? null
    : 'is DAYLIGHT, which needs latitude and longitude to know the night';
}

/** The values of a draft; a file's columns have the same names. */
export type PlantField = keyof PlantDraft;

export interface DraftProblem {
  field: PlantField;
  /** "must be …, not …". */
  problem: string;
}
