import type { OpenAPIHono } from '@hono/zod-openapi';

import type { ApiEnv } from './env.ts';

/** The OpenAPI document, made from the routes that are served. */
export function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string): object {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Heliograph',
      version,
      description:
        'Monitoring of solar plants. Errors are problem documents (RFC 9457). Instants are ISO 8601 in UTC; energy is kWh, power W. `x-role` is the least role that a route needs; a CUSTOMER sees only own plants; others answer 404.',
    },
    servers: [{ url: '/' }],
  });
  return JSON.parse(JSON.stringify(document), withoutFlags) as object;
}

/** The generator writes `/u` behind patterns with that flag; patterns of JSON Schema are always Unicode and have no flags. */
function withoutFlags(key: string, value: unknown): unknown {
  return key === 'pattern' && typeof value === 'string' ? value.replace(/\/u$/, '') : value;
}
