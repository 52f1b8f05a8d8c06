import { z } from '@hono/zod-openapi';

import {
  capacityKwMax,
  firstStatuses,
  intervalSecondsMax,
  oneWordPattern,
  plantIdPattern,
  textLengthMax,
  visiblePattern,
} from '../../domain/plants/plant-draft.ts';
import { oneLinePattern } from '../../domain/hidden-characters.ts';
import { brands } from '../../domain/plants/plant.ts';
import { statusProfiles } from '../../domain/daylight.ts';
import { isValidTimezone } from '../../domain/zone.ts';

/** The bodies of requests about plants. Their limits are those of `domain/plants/plant-draft.ts`, as for flags and files. */

const line = z
  .string()
  .max(textLengthMax)
  .regex(visiblePattern, 'must be one line with something to see');
const oneWord = z.string().max(textLengthMax).regex(oneWordPattern, 'must be without spaces');
const credentialsLengthMax = 4_096;

const settings = {
  name: line,
  customer_id: line.nullable(),
  timezone: z
    .string()
    .max(textLengthMax)
    .refine(isValidTimezone, 'must be the name of a zone, such as Europe/Amsterdam'),
  latitude: z.number().min(-90).max(90).nullable(),
  longitude: z.number().min(-180).max(180).nullable(),
  installed_capacity_kw: z.number().positive().max(capacityKwMax).nullable(),
  poll_interval_s: z.int().min(1).max(intervalSecondsMax),
  status_profile: z.enum(statusProfiles),
};

/** The fields of a login; their names depend on the brand. Never answered or logged. */
export const credentialsSchema = z
  .record(
    z.string().max(textLengthMax),
    z
      .string()
      .max(credentialsLengthMax)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be without control characters'),
  )
  .openapi({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: {},
    description:
      'The fields depend on the brand. A choice, such as `portal` of GOODWE, may be left out; a refusal names its values.',
  });

export const plantMoveSchema = z.strictObject({ vendor_account_id: oneWord }).openapi('PlantMove');

export const newPlantSchema = z
  .strictObject({
    id: z
      .string()
      .regex(plantIdPattern, 'must be 1 to 64 letters, digits, dots, dashes or underscores'),
    brand: z.enum(brands),
    vendor_account_id: oneWord,
    vendor_plant_id: oneWord,
    name: settings.name,
    timezone: settings.timezone,
    customer_id: settings.customer_id.default(null),
    latitude: settings.latitude.default(null),
    longitude: settings.longitude.default(null),
    installed_capacity_kw: settings.installed_capacity_kw.default(null),
    poll_interval_s: settings.poll_interval_s.nullable().default(null),
    status_profile: settings.status_profile.nullable().default(null),
    integration_status: z.enum(firstStatuses).nullable().default(null).openapi({
      description: 'null: ACTIVE if the account has credentials, else PENDING_DOCS',
    }),
    credentials: credentialsSchema.optional(),
  })
  .openapi('NewPlant');

export const plantChangeSchema = z
  .strictObject({
    ...settings,
    vendor_plant_id: oneWord.openapi({
      description: 'only for a plant that never answered, and nothing else with it',
    }),
    integration_status: z.literal('ACTIVE').openapi({
      description: 'the documents are complete; only for a plant that waits for them',
    }),
  })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'says nothing to change')
  .refine(
    (body) => body.vendor_plant_id === undefined || Object.keys(body).length === 1,
    'vendor_plant_id is changed alone',
  )
  .openapi('PlantChange');

/** The end of a pause, a silence or an acknowledgement: a time to come. */
export function untilSchema(nowMs: () => number) {
  return instantQuery
    .refine((text) => Date.parse(text) > nowMs(), 'must be a time to come')
    .openapi({ format: 'date-time' })
    .transform((text) => new Date(text));
}

/** A reason or comment that a person gives; null if it is empty. */
export const wordsSchema = z
  .string()
  .trim()
  .max(textLengthMax)
  .regex(oneLinePattern, 'must be one line')
  .default('')
  .transform((words) => (words === '' ? null : words));

/** The years that PostgreSQL and the calendar both handle. */
const yearsKnown = /^(19[7-9]\d|2\d{3})-/;

export const dateQuery = z.iso.date().regex(yearsKnown, 'must lie between 1970 and 2999');
export const instantQuery = z.iso
  .datetime({ offset: true })
  .regex(yearsKnown, 'must lie between 1970 and 2999');
