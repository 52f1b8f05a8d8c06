import type { PlantSummary, VendorAlarm } from '../../../domain/plants/reading.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import { AdapterError } from '../adapter-error.ts';
import type { PlantRef } from '../contract.ts';
import type { Session } from '../session.ts';

/** Both portals of the vendor. Credentials that were stored before the field existed have none: they are of SEMS. */
export const portals = ['SEMS', 'SEMS_PLUS'] as const;

/**
 * One of the vendor's two portals: its login, its paths and the form of its answers. What is the same for both (the
 * merging of alarms, the order of days, what a plant without data is) stands in adapter.ts. Every method throws
 * AdapterError, or the abort reason of the caller's signal.
 */
export interface Portal {
  logIn(): Promise<Session>;
  getPlantSummary(plant: PlantRef): Promise<PlantSummary>;
  /** Energy of each day that the portal has a row for, kWh; null: a row without a value. Days that were not asked for may be there. */
  readDays(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<ReadonlyMap<LocalDate, number | null>>;
  /** Alarms that were open at or began after `since`, one for each of the portal's records. */
  readAlarms(plant: PlantRef, since: Date): Promise<{ alarms: VendorAlarm[]; complete: boolean }>;
  /** Whether the plant is in the account's list; null where the list cannot be read, or is longer than what was given. */
  isListed(vendorPlantId: string): Promise<boolean | null>;
}

export function plantNotFound(): AdapterError {
  return new AdapterError('PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant');
}
