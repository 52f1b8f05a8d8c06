import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { instant } from '../../db/database.ts';
import { canary } from '../../test/support/openapi.ts';
import { pageRoutesOf, wildPageRequest } from '../../test/support/page-requests.ts';
import {
  expectSecurityHeaders,
  type ServedApi,
  serveTestApi,
} from '../../test/support/served-api.ts';
import { attemptsMax } from '../auth/sign-in.ts';

/**
 * Generated requests for pages and forms, over loopback and on real PostgreSQL: none ends in a 5xx, all have the security
 * headers. 10,000 of them: `FUZZ_REQUESTS=10000 npx vitest run --project service api/pages/fuzz`.
 */
const requests = Number(process.env['FUZZ_REQUESTS'] ?? 1_000);
const people = [null, 'carla@example.org', 'olga@example.org', 'ana@example.org'];

let served: ServedApi;
beforeAll(async () => {
  served = await serveTestApi({
    jwtKey: Buffer.from(`${canary}-jwt-key-of-32-bytes`).toString('base64'),
    trustedProxies: 1,
  });
  const { api } = served;
  await api.user('ana@example.org', 'ADMIN');
  await api.user('olga@example.org', 'OPERATOR');
  await api.user('carla@example.org', 'CUSTOMER', { customerId: 'noord' });
  // Nearly at the limit: a few attempts are compared by bcrypt, which takes its time, the others are refused.
  await api.db
    .insertInto('login_failures')
    .values(
      Array.from({ length: attemptsMax.address - 5 }, () => ({
        at: instant(api.clock.nowMs),
        email: 'somebody@example.org',
        address: '127.0.0.1',
      })),
    )
    .execute();
});
afterAll(async () => served.close());

/** Temporal is away here: what needs it says so. Health is 503 when down, which is what it is for. */
const mayBeAway = new Set([
  'POST /plants/:id/poll',
  'POST /gateways/test',
  'POST /gateways/:id/test',
  'GET /health',
]);

test(
  `${requests} generated requests for pages and forms end in no 5xx, and all have the security headers`,
  { timeout: 60_000 + requests * 100 },
  async () => {
    const routes = pageRoutesOf(served.api.app.routes);
    expect(routes.length).toBeGreaterThan(15);
    const known = Object.fromEntries(
      Object.keys(served.own).map((key) => [
        key,
        [...(served.own[key] ?? []), ...(served.foreign[key] ?? [])],
      ]),
    );
    const reached = new Set<string>();
    const oneRequest = fc.oneof(
      ...routes.map((route) =>
        fc.tuple(fc.constant(route), wildPageRequest(route, known), fc.constantFrom(...people)),
      ),
    );
    await fc.assert(
      fc.asyncProperty(oneRequest, async ([route, request, email]) => {
        served.api.logged.length = 0;
        const browser = email === null ? {} : await served.browser(email);
        const answer = await served.send({
          ...request,
          headers: { ...browser, ...request.headers },
        });
        const name = `${route.method} ${route.path}`;
        const isAway = answer.status === 503 && mayBeAway.has(name);
        if (!isAway) expect(answer.status, `${name} ${answer.text}`).toBeLessThan(500);
        expectSecurityHeaders(answer, name);
        expect(served.api.logged.filter(({ level }) => level === 'error')).toEqual([]);
        if (answer.status < 400) reached.add(name);
        const told = answer.text + JSON.stringify([answer.headers, served.api.logged]);
        expect(told).not.toContain(served.api.deps.jwtKey);
        expect(told).not.toContain('$2b$');
      }),
      // A smaller example is not worth the wait: every try changes the rows.
      { numRuns: requests, endOnFailure: true },
    );
    // The generator does reach the pages, and with more requests every form.
    for (const path of ['/', '/plants/:id', '/alerts', '/system', '/login'])
      expect(reached).toContain(`GET ${path}`);
    const forms = [
      '/plants/:id/pause',
      '/plants/:id/resume',
      '/plants/:id/silence',
      '/alerts/:id/ack',
    ];
    if (requests >= 5_000) for (const path of forms) expect(reached).toContain(`POST ${path}`);
  },
);
