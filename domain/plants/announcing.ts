import type { Audience } from '../alerts.ts';
import type { AlertsBefore } from './facts.ts';
import { withheldTypes } from './incidents.ts';

/**
 * Whether and when a plant's alerts are announced: not while a person has silenced the plant, not while an operator has
 * paused it, and not if an incident of its brand speaks for them. Only a RED vendor alarm is urgent.
 */
export function audienceOf({
  plant,
  incident,
}: Pick<AlertsBefore, 'plant' | 'incident'>): Audience {
  return {
    timezone: plant.timezone,
    silencedUntilMs: plant.alertsSilencedUntilMs,
    isPaused: plant.integrationStatus === 'DISABLED_BY_OPERATOR',
    isWithheld: (type) => incident !== null && withheldTypes.has(type),
    isUrgent: ({ type, severity }) => type === 'MOCK_FAULT' && severity === 'RED',
  };
}
