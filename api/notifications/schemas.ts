import { z } from '@hono/zod-openapi';

import { type AttemptView, deliveryStates } from '../../db/notifications/delivery-list.ts';
import { problemStates } from '../../db/notifications/problems.ts';
import type { RouteView } from '../../db/notifications/route-list.ts';
import { channelKinds } from '../../domain/notifications/message.ts';
import { routeSentence } from '../../domain/notifications/route-sentence.ts';
import {
  clockPattern,
  oneLinePattern,
  wordPattern,
} from '../../domain/notifications/route-settings.ts';
import type { SubjectKind } from '../../domain/subject.ts';
import type { TitledDelivery } from '../../operations/notifications/titles.ts';
import { jsonOf } from '../json.ts';
import { instantSchema } from '../route.ts';

/** The documents of notifications. None has a member for a channel's settings. */

export const severitySchema = z.enum(['YELLOW', 'RED']);
/** An id of the database; larger numbers are invalid. */
export const idSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const idQuery = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const idParam = z.object({
  id: idQuery.openapi({ param: { name: 'id', in: 'path' }, example: 12 }),
});
export const lineSchema = z.string().max(200).regex(oneLinePattern, 'must be one line');
const wordSchema = z.string().regex(wordPattern, 'must be a word in capitals');
export const clockSchema = z.string().regex(clockPattern, 'must be a time of day, such as 22:00');

const mailPattern =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?\.){1,8}[A-Za-z0-9]{2,20}$/;
export const mailSchema = z.string().max(254).regex(mailPattern, 'must be one e-mail address');

export const channelKindSchema = z.enum(channelKinds);

export const channelSchema = z
  .object({
    id: z.int(),
    kind: channelKindSchema,
    name: z.string(),
    source: z.enum(['ENVIRONMENT', 'DATABASE']),
    last_success_at: instantSchema.nullable(),
    last_error_at: instantSchema.nullable(),
    last_error: z.string().nullable(),
    failing_since: instantSchema.nullable().openapi({ description: 'null: it works' }),
    next_send_at: instantSchema.nullable().openapi({ description: 'nothing is sent before it' }),
    routes: z.int(),
    created_at: instantSchema,
    created_by: z.string(),
  })
  .openapi('Channel');

export const digestSchema = z.enum(['NONE', 'YELLOW', 'ALL']);

/** What people decide about a route; the same words as in a request. */
const routeShape = {
  name: lineSchema,
  channel_id: idSchema,
  recipients: z.array(mailSchema).max(50),
  severities: z.array(severitySchema).max(2),
  subject_kinds: z.array(wordSchema).max(50),
  brands: z.array(wordSchema).max(50),
  customer_ids: z.array(lineSchema).max(200),
  plant_ids: z.array(lineSchema).max(200),
  timezone: z.string().min(1).max(64),
  quiet_from: clockSchema.nullable(),
  quiet_to: clockSchema.nullable(),
  digest: digestSchema,
  digest_at: clockSchema.nullable(),
  second_call_after_s: z.int().min(60).max(86_400).nullable(),
  second_route_id: idSchema.nullable(),
};

const asked = {
  ...routeShape,
  subject_kinds: z.array(wordSchema.transform((word) => word as SubjectKind)).max(50),
};

export const routeChangeSchema = z.strictObject(asked).partial().openapi('RouteChange');
export const newRouteSchema = z
  .strictObject(asked)
  .partial()
  .required({ name: true, channel_id: true })
  .openapi('NewRoute');

export const routeSchema = z
  .object({
    id: z.int(),
    ...routeShape,
    name: z.string(),
    sentence: z
      .string()
      .openapi({ example: 'RED of every brand → op@example.org by e-mail, at once' }),
    channel_name: z.string(),
    channel_kind: channelKindSchema,
    second_route_name: z.string().nullable(),
    subscriber: z.string().nullable().openapi({ description: 'whose subscription it is' }),
    storm_since: instantSchema.nullable().openapi({
      description: 'since when it sends summaries only, because there were too many messages',
    }),
    created_at: instantSchema,
    created_by: z.string(),
  })
  .openapi('Route');

export function routeJson(route: RouteView): z.output<typeof routeSchema> {
  return jsonOf(routeSchema, { ...route, sentence: routeSentence(route) });
}

const attemptSchema = z.object({
  attempt: z.int(),
  at: instantSchema,
  ended_at: instantSchema.nullable(),
  outcome: z.string().nullable().openapi({ description: 'null: it runs, or its worker was lost' }),
  answer: z.string().nullable(),
});

export const deliveryStateSchema = z.enum(deliveryStates);

export const deliverySchema = z
  .object({
    id: z.int(),
    state: deliveryStateSchema,
    channel_id: z.int(),
    channel_name: z.string(),
    channel_kind: channelKindSchema,
    recipient: z.string().openapi({ description: 'empty where the channel has one receiver' }),
    message_kind: z.enum(['ALERTS', 'SUMMARY', 'DIGEST', 'TEST', 'HEARTBEAT']),
    route_id: z.int().nullable(),
    route_name: z.string().nullable(),
    created_at: instantSchema,
    next_attempt_at: instantSchema,
    finished_at: instantSchema.nullable(),
    answer: z.string().nullable(),
    attempts: z.array(attemptSchema),
    line_count: z.int(),
    lines: z
      .array(
        z.object({
          notification_id: z.int(),
          kind: z.string(),
          severity: severitySchema,
          subject_kind: z.string(),
          subject_id: z.string(),
          title: z.string().nullable().openapi({
            description: 'by the name that people know; null: its subject is gone',
            example: 'RED Vale 2: OFFLINE',
          }),
          why: z.string().nullable().openapi({ description: 'as it is known now' }),
        }),
      )
      .openapi({ description: 'the first 20 of line_count' }),
  })
  .openapi('Delivery');

export function deliveryJson(delivery: TitledDelivery): z.output<typeof deliverySchema> {
  const attempts = delivery.attempts.map((attempt: AttemptView) => jsonOf(attemptSchema, attempt));
  return jsonOf(deliverySchema, { ...delivery, attempts });
}

export const problemStateSchema = z.enum(problemStates);

export const needSchema = z
  .object({
    id: z.int(),
    subject_kind: z.string(),
    subject_id: z.string(),
    code: z.string(),
    severity: severitySchema,
    state: problemStateSchema,
    message: z.string(),
    opened_at: instantSchema,
    last_seen_at: instantSchema,
    acked_at: instantSchema.nullable(),
    acked_by: z.string().nullable(),
    ack_comment: z.string().nullable(),
    closed_at: instantSchema.nullable(),
  })
  .openapi('OpenProblem');

const url = z.string().min(1).max(2_000);

const settings = {
  EMAIL: z.strictObject({
    host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be a mail server'),
    from: mailSchema,
    port: z.int().min(1).max(65_535).optional(),
    tls: z.enum(['starttls', 'tls', 'none']).optional(),
    username: lineSchema.optional(),
    password: lineSchema.optional(),
  }),
  SLACK: z.strictObject({ url }),
  WEBHOOK: z.strictObject({ url, secret: z.string().max(200).optional() }),
};

const newOf = <Kind extends keyof typeof settings>(kind: Kind) =>
  z.strictObject({ kind: z.literal(kind), name: lineSchema, settings: settings[kind] });

/** A channel with its settings, which are sealed and never answered. */
export const newChannelSchema = z
  .discriminatedUnion('kind', [newOf('EMAIL'), newOf('SLACK'), newOf('WEBHOOK')])
  .openapi('NewChannel');

export const channelChangeSchema = z
  .strictObject({
    name: lineSchema,
    settings: z.union([settings.EMAIL, settings.WEBHOOK]).openapi({
      description: 'all of them: what a channel has is never shown, and what is left out is gone',
    }),
  })
  .partial()
  .openapi('ChannelChange');

/** The settings as they are sealed: texts by their names. */
export function settingTexts(
  given: Readonly<Record<string, string | number | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => [field, String(value)]),
  );
}
