import { createRoute, z } from '@hono/zod-openapi';

import type { RouteView } from '../../db/notifications/route-list.ts';
import { routeSentence } from '../../domain/notifications/route-sentence.ts';
import {
  endSubscription,
  findSubscription,
  subscribe,
  timesOf,
} from '../../operations/notifications/subscriptions.ts';
import type { ApiDeps } from '../deps.ts';
import { deciderOf, type Person, plantScope } from '../env.ts';
import { problems, reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonBody, newRoutes } from '../route.ts';
import { orProblem } from './refusals.ts';
import { clockSchema, digestSchema, lineSchema, severitySchema } from './schemas.ts';

/** The routes by which people have themselves told by e-mail. Nobody sees another person's subscription here. */

const tags = ['notifications'];

const wishShape = {
  severities: z.array(severitySchema).max(2).openapi({ description: 'empty: both' }),
  customer_ids: z.array(lineSchema).max(200).openapi({
    description: 'empty: all that you may see; for a CUSTOMER always the own one',
  }),
};

const timesShape = {
  timezone: z.string().min(1).max(64).openapi({ description: 'of the times of day' }),
  quiet_from: clockSchema.nullable().openapi({ description: 'YELLOW waits from then on' }),
  quiet_to: clockSchema.nullable(),
  digest: digestSchema.openapi({ description: 'what waits for the morning brief' }),
  digest_at: clockSchema.nullable(),
};

const subscriptionSchema = z
  .object({
    subscription: z
      .object({
        email: z.string(),
        ...wishShape,
        ...timesShape,
        sentence: z.string(),
        created_at: instantSchema,
      })
      .nullable(),
  })
  .openapi('Subscription');

const read = createRoute({
  method: 'get',
  path: '/notifications/subscription',
  tags,
  summary: 'Your own subscription to e-mails',
  ...access('CUSTOMER'),
  responses: answers(subscriptionSchema, 'yours; null: none', [401, 403, 503]),
});

const set = createRoute({
  method: 'put',
  path: '/notifications/subscription',
  tags,
  summary: 'Have yourself told by e-mail, or change what you are told',
  ...access('CUSTOMER'),
  request: {
    body: jsonBody(
      z
        .strictObject({
          severities: wishShape.severities.default([]),
          customer_ids: wishShape.customer_ids.default([]),
          ...z.object(timesShape).partial().shape,
        })
        .openapi('NewSubscription'),
    ),
  },
  responses: answers(subscriptionSchema, 'yours as it is now', [...writing, 409]),
});

const end = createRoute({
  method: 'delete',
  path: '/notifications/subscription',
  tags,
  summary: 'End your own subscription',
  ...access('CUSTOMER'),
  responses: { 204: { description: 'there is none any more' }, ...problems(...reading, 413) },
});

/** The person as a subscriber. */
export function subscriberOf(person: Person) {
  return { userId: person.userId, email: person.email, scope: plantScope(person) };
}

export function subscriptionRoutes(deps: ApiDeps) {
  const answerOf = (route: RouteView | null): z.output<typeof subscriptionSchema> => ({
    subscription:
      route === null
        ? null
        : {
            email: route.recipients[0] ?? '',
            severities: route.severities,
            customer_ids: route.customer_ids,
            ...timesOf(route),
            sentence: routeSentence(route),
            created_at: route.created_at.toISOString(),
          },
  });
  return newRoutes()
    .openapi(read, async (c) =>
      c.json(answerOf(await findSubscription(deps.db, subscriberOf(c.get('person')))), 200),
    )
    .openapi(set, async (c) => {
      const act = { db: deps.db, by: deciderOf(c), at: new Date(deps.clock()) };
      const person = subscriberOf(c.get('person'));
      const { severities, customer_ids, ...times } = c.req.valid('json');
      const wish = { severities, customer_ids, times: given(times) };
      const route = await subscribe(act, person, wish, deps.seal);
      return c.json(answerOf(orProblem(route)), 200);
    })
    .openapi(end, async (c) => {
      const act = { db: deps.db, by: deciderOf(c), at: new Date(deps.clock()) };
      await endSubscription(act, subscriberOf(c.get('person')));
      return c.body(null, 204);
    });
}

/** The members that are there. */
function given<Times extends object>(
  times: Times,
): { [Name in keyof Times]?: Exclude<Times[Name], undefined> } {
  return Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Times]?: Exclude<Times[Name], undefined>;
  };
}
