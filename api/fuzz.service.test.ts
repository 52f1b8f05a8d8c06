import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { instant } from '../db/database.ts';
import { type ApiFleet, createApiFleet } from '../test/support/api-fleet.ts';
import { canary, documentedRoutes, wildRequest } from '../test/support/openapi.ts';
import { attemptsMax } from './auth/sign-in.ts';

/**
 * Generated requests from the OpenAPI document, on real PostgreSQL: none ends in a 5xx or without the security
 * headers, none gives a secret away; `api/pages/fuzz.service.test.ts` does it for pages and forms. 10,000 of
 * them: `FUZZ_REQUESTS=10000 npx vitest run --project service api/fuzz`.
 */
const requests = Number(process.env['FUZZ_REQUESTS'] ?? 1_000);

const document = JSON.parse(
  readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8'),
) as object;
const routes = documentedRoutes(document);
const people = [null, 'customer@example.org', 'operator@example.org', 'admin@example.org'];

let fleet: ApiFleet;
beforeAll(async () => {
  fleet = await createApiFleet({
    jwtKey: Buffer.from(`${canary}-jwt-key-of-32-bytes`).toString('base64'),
  });
  // Nearly at the limit: a few attempts are compared by bcrypt, which takes its time, the others are refused.
  await fleet.api.db
    .insertInto('login_failures')
    .values(
      Array.from({ length: attemptsMax.address - 5 }, () => ({
        at: instant(fleet.api.clock.nowMs),
        email: 'somebody@example.org',
        address: 'none',
      })),
    )
    .execute();
});
afterAll(async () => fleet.api.close());

/** Temporal and all workers are away here: what needs them says so. Health is 503 when down, which is what it is for. */
const mayBeAway = new Set([
  'POST /api/v1/plants/{id}/poll',
  'POST /api/v1/gateways/test',
  'POST /api/v1/gateways/{id}/poll',
  'POST /api/v1/gateways/{id}/test',
  'GET /api/v1/health',
  'GET /api/v1/polling/health',
  'GET /api/v1/polling/queue-status',
]);

/** Members of a route depend on each other, which no schema says; api/notifications/routes.service.test.ts has them fit. */
const seldomFits = new Set([
  'POST /api/v1/notifications/routes',
  'PATCH /api/v1/notifications/routes/{id}',
]);

test(
  `${requests} generated requests end in no 5xx, and give no secret away`,
  { timeout: 60_000 + requests * 100 },
  async () => {
    const { api } = fleet;
    const known = Object.fromEntries(
      Object.keys(fleet.own).map((key) => [
        key,
        [...(fleet.own[key] ?? []), ...(fleet.foreign[key] ?? [])],
      ]),
    );
    const statuses = new Map<string, number>();
    const person = fc.oneof(
      { weight: 5, arbitrary: fc.constant('admin@example.org') },
      { weight: 2, arbitrary: fc.constantFrom(...people) },
    );
    const oneRequest = fc.oneof(
      ...routes.map((route) =>
        fc.tuple(fc.constant(route), wildRequest(document, route, known), person),
      ),
    );
    await fc.assert(
      fc.asyncProperty(oneRequest, async ([route, { path, headers, body }, email]) => {
        api.logged.length = 0;
        const answer = await api.ask(email, route.method, path, body, headers);
        const text = await answer.text();
        const name = `${route.method} ${route.path}`;
        const isAway = [503, 504].includes(answer.status) && mayBeAway.has(name);
        if (!isAway) expect(answer.status, `${name} ${text}`).toBeLessThan(500);
        // A malformed path or method never reaches its route: what does is documented.
        if (answer.status !== 404) expect(route.statuses, name).toContain(answer.status);
        expect(answer.headers.get('content-security-policy'), name).toContain("default-src 'none'");
        expect(answer.headers.get('x-content-type-options'), name).toBe('nosniff');
        const told = text + JSON.stringify([...answer.headers]) + JSON.stringify(api.logged);
        expect(told).not.toContain(canary);
        expect(told).not.toContain(api.deps.jwtKey);
        expect(told).not.toContain('$2b$');
        const key = `${name} ${answer.status}`;
        statuses.set(key, (statuses.get(key) ?? 0) + 1);
      }),
      // A smaller example is not worth the wait: every try changes the rows.
      { numRuns: requests, endOnFailure: true },
    );
    // The generator does reach the handlers: every route was answered with success by some request.
    const unreached = routes.filter(
      (route) =>
        !route.path.includes('/auth/') &&
        ![...statuses.keys()].some((key) => key.startsWith(`${route.method} ${route.path} 2`)) &&
        !mayBeAway.has(`${route.method} ${route.path}`) &&
        !seldomFits.has(`${route.method} ${route.path}`),
    );
    if (requests >= 5_000)
      expect(unreached.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  },
);
