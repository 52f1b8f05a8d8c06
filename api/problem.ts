import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ZodError } from 'zod';

import type { ApiEnv } from './env.ts';

/** Errors as people and programs get them: RFC 9457, `application/problem+json`. */

/** Every kind of problem, with the status and title that go with it. `type` is `urn:heliograph:problem:<kind>`. */
const kinds = {
  'malformed-body': [400, 'The body is not what its content type says'],
  'not-signed-in': [401, 'Sign in first'],
  'sign-in-refused': [401, 'E-mail address or password is wrong'],
  'role-not-sufficient': [403, 'Your role does not allow this'],
  'password-change-required': [403, 'Change your password first'],
  'cross-site-request': [403, 'The request comes from another site'],
  'not-found': [404, 'There is nothing here'],
  'method-not-allowed': [405, 'This method is not served here'],
  conflict: [409, 'The request does not fit the present state'],
  'precondition-failed': [412, 'It has changed since you read it'],
  'body-too-large': [413, 'The body is too large'],
  'media-type-not-supported': [415, 'This content type is not taken'],
  'invalid-request': [422, 'The request is not valid'],
  'too-many-requests': [429, 'Too many requests'],
  unexpected: [500, 'Something went wrong here'],
  'service-away': [503, 'A service that this needs is away'],
  'answer-not-in-time': [504, 'The answer did not come in time'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemKind = keyof typeof kinds;
type ProblemStatus = (typeof kinds)[ProblemKind][0];

/** A problem to be answered: throw it from anywhere below the app. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly kind: ProblemKind;
  readonly status: ProblemStatus;
  readonly title: string;
  /** Members beside the standard ones (RFC 9457, section 3.2). */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly retryAfterS: number | null;

  /** @param detail one sentence for the person who asked; goes out as it stands. */
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
      .openapi({ description: 'what is not valid, one entry each' }),
  })
  .loose()
  .openapi('Problem');

/** The problem as an answer. */
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

/** More would help nobody. */
const errorsMax = 20;

/** What the schemas say of a request, as a problem; values are not told back. */
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
  404: 'there is no such thing, or not for you',
  409: 'does not fit the present state',
  412: 'changed since it was read',
  413: 'the body is too large',
  415: 'content type not taken',
  422: 'not valid; `errors` says what',
  429: 'too many requests; `Retry-After` says for how long',
  503: 'a service that this needs is away',
  504: 'the answer did not come in time',
} as const;

type DocumentedStatus = keyof typeof meanings;
interface DocumentedProblem {
  description: string;
  content: typeof problemContent;
}

/** The documented errors of a route: spread it into `responses`. 401, 403 and 503 go with every route behind a role. */
export function problems<Status extends DocumentedStatus>(
  ...statuses: Status[]
): Record<Status, DocumentedProblem> {
  const documented: Partial<Record<DocumentedStatus, DocumentedProblem>> = {};
  for (const status of statuses)
    documented[status] = { description: meanings[status], content: problemContent };
  return documented as Record<Status, DocumentedProblem>;
}
