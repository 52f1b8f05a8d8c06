import type { IntegrationStatus } from './plant.ts';

/** What people may ask of a plant, and in which of its integration statuses it can be done. */

const possibleIn = {
  /** A plant that is paused already takes the new time and reason. */
  PAUSE: ['ACTIVE', 'DISABLED_BY_OPERATOR', 'PAUSED_AUTH_ERROR'],
  RESUME: ['ACTIVE', 'DISABLED_BY_OPERATOR', 'PAUSED_AUTH_ERROR'],
  /** The documents are complete; that lifts no pause. */
  ACTIVATE: ['ACTIVE', 'PENDING_DOCS'],
  POLL: ['ACTIVE'],
} as const satisfies Record<string, readonly IntegrationStatus[]>;

export type PlantWish = keyof typeof possibleIn;

export function isPossible(wish: PlantWish, status: IntegrationStatus): boolean {
  return (possibleIn[wish] as readonly IntegrationStatus[]).includes(status);
}
