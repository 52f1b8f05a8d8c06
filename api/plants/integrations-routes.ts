import { createRoute, z } from '@hono/zod-openapi';

import { adapterErrorTypes, brands } from '../../domain/plants/plant.ts';
import { oneWordPattern } from '../../domain/plants/plant-draft.ts';
import { isValidTimezone } from '../../domain/zone.ts';
import { checkCredentials } from './actions.ts';
import type { ApiDeps } from '../deps.ts';
import { credentialsSchema } from './plant-body.ts';
import { writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';

/** The route that tests credentials at a vendor before a plant is added. */

const test = createRoute({
  method: 'post',
  path: '/integrations/test',
  tags: ['integrations'],
  summary: 'Log in at a vendor with these credentials; nothing is stored',
  ...access('ADMIN'),
  request: {
    body: jsonBody(
      z
        .strictObject({
          brand: z.enum(brands),
          vendor_plant_id: z.string().max(200).regex(oneWordPattern, 'must be without spaces'),
          timezone: z
            .string()
            .max(200)
            .refine(isValidTimezone, 'must be the name of a zone')
            .default('UTC'),
          credentials: credentialsSchema,
        })
        .openapi('IntegrationTest'),
    ),
  },
  responses: answers(
    z
      .object({
        ok: z.boolean(),
        adapter_error_type: z.enum(adapterErrorTypes).nullable(),
        message: z.string(),
      })
      .openapi('IntegrationTestResult'),
    'the answer of the vendor, as one sentence without secrets',
    writing,
  ),
});

export function integrationRoutes(deps: ApiDeps) {
  return newRoutes().openapi(test, async (c) => {
    const { brand, vendor_plant_id: vendorPlantId, timezone, credentials } = c.req.valid('json');
    const result = await deps.testConnection({
      brand,
      vendorPlantId,
      timezone,
      credentials: checkCredentials(deps, brand, credentials),
    });
    return c.json(
      { ok: result.ok, adapter_error_type: result.errorType, message: result.message },
      200,
    );
  });
}
