import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ZodError } from 'zod';

import type { ApiEnv } from './env.ts';

/** Errors for people and programs: RFC 9457, `application/problem+json`. */

/** Every kind of problem with its status and title. `type` is `urn:heliograph:problem:<kind>`. */
const kinds = {
  'malformed-body': [400, 'The body is not what its content type says'],
  'not-signed-in': [401, 'Sign in first'],
  'sign-in-refused': [401, 'E-mail address or password is wrong'],
  'role-not-sufficient': [403, 'Your role does not allow this'],
  'password-change-required': [403, 'Change your password first'],
  'cross-site-request': [403, 'The request comes from another site'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'This method is not served here'],
  conflict: [409, 'The request does not fit the present state'],
  'precondition-failed': [412, 'It has changed since you read it'],
  'body-too-large': [413, 'The body is too large'],
  'media-type-not-supported': [415, 'This content type is not accepted'],
  'invalid-request': [422, 'The request is not valid'],
  'too-many-requests': [429, 'Too many requests'],
  unexpected: [500, 'Something went wrong here'],
  'service-away': [503, 'A service that this needs does not answer'],
  'answer-not-in-time': [504, 'The answer did not come in time'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemKind = keyof typeof kinds;
type ProblemStatus = (typeof kinds)[ProblemKind][0];

/** A problem as an exception: throw it anywhere below the app. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly kind: ProblemKind;
  readonly status: ProblemStatus;
  readonly title: string;
  /** Members beside the standard ones (RFC 9457, section 3.2). */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly retryAfterS: number | null;

  /** @param detail one sentence for the person who asked; sent unchanged. */
  constructor(
    kind: ProblemKind,
    detail: string,
    options: { extra?: Record<string, unknown>; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    const [status, title] = kinds[kind];
    this.kind = kind;
    this.status = status;
    this.title = title;
    this.extra = options.extra ?? {};
    this.retryAfterS = options.retryAfterS ?? null;
  }
}

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:heliograph:problem:invalid-request' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    request_id: z.string(),
    errors: z
      .array(z.object({ in: z.string(), path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'one entry for each invalid value' }),
  })
  .loose()
  .openapi('Problem');

/** The problem as a response. */
export function problemResponse(c: Context<ApiEnv>, problem: Problem): Response {
  return c.body(
    JSON.stringify({
      ...problem.extra,
      type: `urn:heliograph:problem:${problem.kind}`,
      title: problem.title,
      status: problem.status,
      detail: problem.message,
      request_id: c.get('requestId'),
    }),
    problem.status,
    {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(problem.retryAfterS === null ? {} : { 'retry-after': String(problem.retryAfterS) }),
      ...(problem.status === 401 ? { 'www-authenticate': 'Bearer realm="heliograph"' } : {}),
    },
  );
}

/** Maximum number of listed errors. */
const errorsMax = 20;

/** A schema's errors as a problem; it does not repeat the values. */
export function invalidRequest(part: string, error: Pick<ZodError, 'issues'>): Problem {
  const errors = error.issues.slice(0, errorsMax).map((issue) => ({
    in: part,
    path: issue.path.map(String).join('.'),
    message: issue.message,
  }));
  const [first] = errors;
  const where = first === undefined || first.path === '' ? `the ${part}` : first.path;
  return new Problem('invalid-request', `${where}: ${first?.message ?? 'not valid'}`, {
    extra: { errors },
  });
}

const problemContent = { 'application/problem+json': { schema: problemSchema } };

const meanings = {
  400: 'malformed body',
  401: 'no valid token or session',
  403: 'the role is not sufficient, the password must be changed first, or the request comes from another site',
  404: 'does not exist, or is not visible to you',
  409: 'does not fit the present state',
  412: 'changed since it was read',
  413: 'the body is too large',
  415: 'content type not accepted',
  422: 'not valid; `errors` says what',
  429: 'too many requests; `Retry-After` says for how long',
  503: 'a service that this needs does not answer',
  504: 'the answer did not come in time',
} as const;

export type DocumentedStatus = keyof typeof meanings;
interface DocumentedProblem {
  description: string;
  content: typeof problemContent;
}

/** The errors that every route with a role and an input documents: what reads, and what takes a body. */
export const reading = [401, 403, 422, 503] as const;
export const writing = [...reading, 400, 413, 415] as const;

/** The documented errors of a route: spread them into `responses`. */
export function problems<Status extends DocumentedStatus>(
  ...statuses: Status[]
): Record<Status, DocumentedProblem> {
  const documented: Partial<Record<DocumentedStatus, DocumentedProblem>> = {};
  for (const status of statuses)
    documented[status] = { description: meanings[status], content: problemContent };
  return documented as Record<Status, DocumentedProblem>;
}
