import type { Audience } from '../alerts.ts';
import type { AlertsBefore } from './facts.ts';
import { withheldTypes } from './incidents.ts';

/**
 * When people are told of a plant's alerts: not while a person silenced the plant, nor while an operator has it paused, nor
 * of what an incident of its brand speaks for. Only a RED vendor alarm wakes anybody.
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
