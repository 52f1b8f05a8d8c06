import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';

import type { Role } from '../db/tables.ts';
import { requireRole } from './auth/guard.ts';
import type { ApiEnv } from './env.ts';
import { type DocumentedStatus, invalidRequest, problems } from './problem.ts';

/** Building blocks of routes: `createRoute({ method, path, ...access('OPERATOR'), request, responses })`. */

/** A group of routes; a failed validation is answered with a problem, 422. */
export function newRoutes(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.target, result.error);
    },
  });
}

/** Who may call a route: at least this role, or anybody. Also sets `x-role` in the OpenAPI document. */
export function access(role: Role | 'PUBLIC'): {
  'x-role': Role | 'PUBLIC';
  security: { bearer: string[] }[];
  middleware: MiddlewareHandler<ApiEnv>[];
} {
  return role === 'PUBLIC'
    ? { 'x-role': role, security: [], middleware: [] }
    : { 'x-role': role, security: [{ bearer: [] }], middleware: [requireRole(role)] };
}

/** A required JSON body. Pass a strict object, so that unknown members are refused. */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
): { required: true; content: { 'application/json': { schema: Schema } } } {
  return { required: true, content: { 'application/json': { schema } } };
}

/** A JSON answer. The schema is the allow-list: `answer(schema, value)` drops all members that it does not name. */
export function jsonAnswer<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
): { description: string; content: { 'application/json': { schema: Schema } } } {
  return { description, content: { 'application/json': { schema } } };
}

/** The responses of a route that answers 200 with JSON, or with a documented problem. */
export function answers<Schema extends z.ZodType, Status extends DocumentedStatus>(
  schema: Schema,
  description: string,
  statuses: readonly Status[],
) {
  return { 200: jsonAnswer(schema, description), ...problems(...statuses) };
}

/** An instant in a response: ISO 8601 in UTC. */
export const instantSchema = z.string().openapi({ format: 'date-time' });
