import { randomUUID } from 'node:crypto';

import { ServiceError } from '@temporalio/client';
import { OpenAPIHono } from '@hono/zod-openapi';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';

import { readTold } from '../db/notifications/delivery-list.ts';
import { addressOf } from './auth/address.ts';
import { identification, sameOriginWrites } from './auth/guard.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiEnv } from './env.ts';
import { createHealth } from './system/health.ts';
import { createApiMetrics } from './system/metrics.ts';
import { openApiDocument } from './openapi.ts';
import { problemPage, wantsPage } from './pages/answer.ts';
import { createAssets } from './pages/assets.ts';
import { pageRoutes } from './pages/routes.ts';
import { Problem, problemResponse } from './problem.ts';
import { notificationGauges } from './notifications/metrics.ts';
import { problemRoutes } from './notifications/problems-routes.ts';
import { notificationRoutes } from './notifications/routes.ts';
import { subscriptionRoutes } from './notifications/subscription-routes.ts';
import { createTurns } from './turns.ts';
import { checkedValues } from './values.ts';
import { createFleetView } from './plants/fleet-view.ts';
import { createActions } from './plants/actions.ts';
import { alertRoutes } from './plants/alerts-routes.ts';
import { authRoutes } from './people/routes.ts';
import { integrationRoutes } from './plants/integrations-routes.ts';
import { plantGauges } from './plants/metrics.ts';
import { plantActionRoutes } from './plants/actions-routes.ts';
import { plantCorrectionRoutes } from './plants/corrections-routes.ts';
import { plantRoutes } from './plants/plants-routes.ts';
import { plantSeriesRoutes } from './plants/series-routes.ts';
import { pollingRoutes } from './system/polling-routes.ts';
import { healthRoutes } from './system/routes.ts';
import { gatewayAlertRoutes } from './gateways/alerts-routes.ts';
import { gatewayActionRoutes } from './gateways/actions-routes.ts';
import { gatewayTestRoutes } from './gateways/test-routes.ts';
import { gatewayReadingRoutes } from './gateways/readings-routes.ts';
import { gatewayRoutes } from './gateways/routes.ts';

/** The longest accepted request body, bytes. */
const bodyBytesMax = 64 * 1024;

export type App = OpenAPIHono<ApiEnv>;

/** The pages and lists that read a plant or many; a plant's page takes ten statements. */
const readingPaths =
  /^\/(?:$|plants\/|gateways(?:\/|$)|alerts$|system$|admin\/|account$|api\/v1\/(?:plants|gateways|gateway-alerts|alerts|notifications)(?:\/|$))/;

/** Builds the whole API as a function from Request to Response; it opens no connection and does not listen. */
export function createApp(deps: ApiDeps): App {
  const app: App = new OpenAPIHono<ApiEnv>();
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
  const readHealth = createHealth(deps);
  const metrics = createApiMetrics(deps, [plantGauges, notificationGauges]);
  app.use(requestIds(deps), metrics.measured, secured(deps), identification(deps));
  app.use(
    bodyLimit({
      maxSize: bodyBytesMax,
      onError: () => {
        throw new Problem('body-too-large', `A body has at most ${bodyBytesMax} bytes.`);
      },
    }),
    sameOriginWrites(deps),
    checkedValues(),
  );

  // Pages and lists wait for their turn and for their own connections.
  const reading: ApiDeps = { ...deps, db: deps.readDb };
  app.use(readInTurn());
  const fleet = createFleetView(reading.db, deps.clock);
  const actions = createActions(deps, fleet);
  app.route('/api/v1', authRoutes(deps));
  app.route('/api/v1', plantRoutes(reading, fleet, actions));
  app.route('/api/v1', plantSeriesRoutes(reading));
  app.route('/api/v1', plantActionRoutes(deps, actions));
  app.route('/api/v1', plantCorrectionRoutes(actions));
  app.route(
    '/api/v1',
    alertRoutes(reading, actions, (ids) => readTold(reading.db, ids)),
  );
  app.route('/api/v1', gatewayRoutes(reading));
  app.route('/api/v1', gatewayReadingRoutes(reading));
  app.route('/api/v1', gatewayActionRoutes(deps));
  app.route('/api/v1', gatewayTestRoutes(deps));
  app.route('/api/v1', gatewayAlertRoutes(deps));
  app.route('/api/v1', integrationRoutes(deps));
  app.route('/api/v1', notificationRoutes(deps));
  app.route('/api/v1', problemRoutes(deps));
  app.route('/api/v1', subscriptionRoutes(deps));
  app.route('/api/v1', healthRoutes(deps, readHealth, metrics));
  const polling = pollingRoutes(deps);
  app.route('/api/v1', polling);
  app.get('/api/v1/openapi.json', (c) => c.json(openApiDocument(app, deps.version)));
  // The root paths that orchestrators and scrapers try first; the OpenAPI document lists only /api/v1.
  app.route('/', new Hono<ApiEnv>().route('/', healthRoutes(deps, readHealth, metrics)));
  app.route('/api', new Hono<ApiEnv>().route('/', polling));

  const assets = createAssets();
  app.route('/', assets.routes);
  app.route('/', pageRoutes(deps, assets.urls, { reading, fleet, actions, readHealth }));

  const refuse = async (c: Context<ApiEnv>, problem: Problem): Promise<Response> =>
    wantsPage(c) ? problemPage(c, problem, assets.urls) : problemResponse(c, problem);
  app.notFound(async (c) => refuse(c, new Problem('not-found', 'There is no such page.')));
  app.onError(async (error, c) => refuse(c, toProblem(error, c, deps)));
  return app;
}

/** Request ids, the client's address, and one log line for each answer (debug: requests are normal). */
function requestIds(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.set('address', addressOf(c, deps.trustedProxies));
    const startedAt = performance.now();
    await next();
    c.header('x-request-id', requestId);
    deps.log.debug(
      {
        request_id: requestId,
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        duration_ms: Math.round(performance.now() - startedAt),
      },
      'request answered',
    );
  };
}

/** Reads a few pages and lists at once and lets the others wait, each person's in a line of their own. */
function readInTurn(): MiddlewareHandler<ApiEnv> {
  const inTurn = createTurns({
    atOnce: 4,
    waitingMax: 2_000,
    waitingMaxOfKey: 500,
    busy: 'Too many pages are being read at this moment: try again in a few seconds.',
  });
  return async (c, next) => {
    if ((c.req.method !== 'GET' && c.req.method !== 'HEAD') || !readingPaths.test(c.req.path))
      return next();
    const identity = await c.get('identify')();
    // Without one the route refuses, and reads nothing.
    if (identity === null) return next();
    await inTurn(String(identity.person.userId), next);
  };
}

/** Security headers: no inline script or style, no foreign content, no framing, no referrer. */
function secured(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  const self = ["'self'"];
  const none = ["'none'"];
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: none,
      scriptSrc: self,
      styleSrc: self,
      imgSrc: ["'self'", 'data:'],
      fontSrc: self,
      connectSrc: self,
      manifestSrc: self,
      formAction: self,
      baseUri: none,
      frameAncestors: none,
      objectSrc: none,
    },
    xFrameOptions: 'DENY',
    referrerPolicy: 'same-origin',
    // Only with https: on plain http browsers must ignore it anyway.
    strictTransportSecurity: deps.publicUrl?.startsWith('https://') === true,
  });
}

/** Turns any thrown value into a problem; an unexpected one is logged in full and answered without details. */
function toProblem(error: unknown, c: Context<ApiEnv>, deps: ApiDeps): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return ofHttpException(error);
  const fields = { request_id: c.get('requestId'), method: c.req.method, path: c.req.path };
  if (deps.isServiceError(error)) {
    deps.log.warn({ ...fields, error: errorName(error) }, 'PostgreSQL is away');
    return new Problem('service-away', 'The database does not answer: try again.', {
      retryAfterS: 5,
    });
  }
  if (error instanceof ServiceError) {
    deps.log.warn({ ...fields, error: errorName(error) }, 'Temporal is away');
    return new Problem('service-away', 'Temporal does not answer: try again.', { retryAfterS: 5 });
  }
  deps.log.error({ ...fields, error: describe(error) }, 'a request failed');
  return new Problem('unexpected', 'See the log at this request id.');
}

function ofHttpException(error: HTTPException): Problem {
  if (error.status === 400)
    return new Problem('malformed-body', 'The body does not match its content type.');
  if (error.status === 413) return new Problem('body-too-large', 'The body is too large.');
  if (error.status === 415)
    return new Problem('media-type-not-supported', 'Send application/json.');
  return new Problem('unexpected', 'See the log at this request id.', { cause: error });
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

/** The stack without the message, because the message may quote a row. */
function describe(error: unknown): object {
  const { code, constraint, stack = '' } = error as Record<string, unknown> & { stack?: string };
  const at = stack.split('\n').filter((line) => line.trimStart().startsWith('at '));
  return { name: errorName(error), code, constraint, at: at.slice(0, 8).map((l) => l.trim()) };
}
