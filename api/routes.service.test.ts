import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openDatabase } from '../db/database.ts';
import { createTestApi } from '../test/support/api.ts';
import { type ApiFleet, createApiFleet } from '../test/support/api-fleet.ts';
import {
  type DocumentedRoute,
  documentedRoutes,
  type GeneratedRequest,
  type KnownIds,
  validRequest,
} from '../test/support/openapi.ts';

/** What holds for every route: the list is the OpenAPI document, which a test keeps equal to what is served. */

const document = JSON.parse(
  readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8'),
) as object;
const routes = documentedRoutes(document).map(
  (route) => [`${route.method} ${route.path}`, route] as const,
);
const behindRole = routes.filter(([, route]) => route.role !== 'PUBLIC');
const withBody = routes.filter(([, route]) => route.body !== null);

let fleet: ApiFleet;
beforeAll(async () => {
  fleet = await createApiFleet();
});
afterAll(async () => fleet.api.close());
beforeEach(async () => {
  await fleet.api.db.deleteFrom('login_failures').execute();
});

/** One request that the schemas allow, the same at every run. */
function sample(route: DocumentedRoute, known: KnownIds, seed = 7): GeneratedRequest {
  const [request] = fc.sample(validRequest(document, route, known), { numRuns: 1, seed });
  if (request === undefined) throw new Error('fast-check gave no sample');
  return request;
}

async function ask(
  route: DocumentedRoute,
  email: string | null,
  change: Partial<GeneratedRequest> = {},
  known: KnownIds = fleet.own,
): Promise<Response> {
  const { path, headers, body } = { ...sample(route, known), ...change };
  const answer = await fleet.api.ask(email, route.method, path, body, headers);
  expect(route.statuses, `${answer.status} is documented`).toContain(answer.status);
  return answer;
}

async function expectProblem(answer: Response, ...statuses: number[]): Promise<void> {
  expect(statuses).toContain(answer.status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(await answer.json()).toMatchObject({
    type: expect.stringMatching(/^urn:heliograph:problem:[a-z-]+$/),
    title: expect.any(String),
    status: answer.status,
    detail: expect.any(String),
    request_id: answer.headers.get('x-request-id'),
  });
}

const admin = 'admin@example.org';
/** The role next below; who has it is refused. */
const below = { ADMIN: 'operator@example.org', OPERATOR: 'customer@example.org' } as const;

test('every route below /api/v1 is in the document', () => {
  const served = fleet.api.app.routes
    .filter(({ path, method }) => path.startsWith('/api/v1/') && method !== 'ALL')
    .map(({ path, method }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    .filter((name) => name !== 'GET /api/v1/openapi.json');
  expect(new Set(served)).toEqual(new Set(routes.map(([name]) => name)));
});

describe('every route behind a role', () => {
  test.each(behindRole)('%s: without a token 401', async (_, route) => {
    await expectProblem(await ask(route, null), 401);
    await expectProblem(
      await ask(route, null, {
        headers: { authorization: 'Bearer none', 'content-type': 'application/json' },
      }),
      401,
    );
  });

  const aboveCustomer = behindRole.filter(([, route]) => route.role !== 'CUSTOMER');
  test.each(aboveCustomer)('%s: the role below 403', async (_, route) => {
    await expectProblem(await ask(route, below[route.role as keyof typeof below]), 403);
  });

  const ofThings = behindRole.filter(([, route]) => route.path.includes('{'));
  test.runIf(ofThings.length > 0).each(ofThings)(
    "%s: another customer's 404, as if it were not there",
    async (_, route) => {
      if (route.role !== 'CUSTOMER') return;
      const answer = await ask(route, 'customer@example.org', {}, fleet.foreign);
      await expectProblem(answer, 404);
      const own = await ask(route, 'customer@example.org');
      expect(own.status).toBe(200);
    },
  );

  test.runIf(ofThings.length > 0).each(ofThings)('%s: what is not there 404', async (_, route) => {
    const nothing = Object.fromEntries(
      Object.entries(fleet.own).map(([key, ids]) => [
        key,
        [ids.every((id) => /^\d+$/.test(id)) ? '999999999' : 'no-such-thing'],
      ]),
    );
    // Not every body that the schema allows makes sense (a zone must be one): the first that does is told.
    const statuses: number[] = [];
    for (let seed = 0; seed < 30 && !statuses.includes(404); seed += 1) {
      const answer = await ask(route, admin, sample(route, nothing, seed));
      statuses.push(answer.status);
      await expectProblem(answer, 404, 422);
    }
    expect(statuses).toContain(404);
  });
});

describe('every route with a body', () => {
  test.each(withBody)('%s: malformed 400', async (_, route) => {
    for (const body of ['{', '{"a":1}}', 'undefined'])
      await expectProblem(await ask(route, admin, { body }), 400);
  });

  test.each(withBody)('%s: not an object, or with a member too many, 422', async (_, route) => {
    const given = JSON.parse(sample(route, fleet.own).body ?? '{}') as object;
    for (const body of [[], 'text', 7, null, { ...given, surprise: 1 }])
      await expectProblem(await ask(route, admin, { body: JSON.stringify(body) }), 422);
  });

  test.each(withBody)('%s: of another content type 415', async (_, route) => {
    const headers = { 'content-type': 'text/plain' };
    await expectProblem(await ask(route, admin, { headers }), 415);
  });

  test.each(withBody)('%s: too large 413, with its length stated or not', async (_, route) => {
    const body = JSON.stringify({ text: 'x'.repeat(64 * 1024) });
    const headers = { 'content-type': 'application/json' };
    await expectProblem(await ask(route, admin, { body, headers }), 413);
    const stated = { ...headers, 'content-length': String(body.length) };
    await expectProblem(await ask(route, admin, { body, headers: stated }), 413);
  });
});

describe('what is not served', () => {
  test('is 404, as a problem', async () => {
    await expectProblem(await fleet.api.ask(admin, 'GET', '/api/v1/nothing'), 404);
    await expectProblem(await fleet.api.ask(null, 'DELETE', '/api/v1/auth/login'), 404);
  });
});

describe('every answer', () => {
  test('has a request id: a plain one is taken over, another is not', async () => {
    const { api } = fleet;
    const given = { 'x-request-id': 'from-the-proxy-1' };
    const answer = await api.ask(null, 'GET', '/api/v1/nothing', undefined, given);
    expect(answer.headers.get('x-request-id')).toBe('from-the-proxy-1');
    const odd = await api.ask(null, 'GET', '/api/v1/nothing', undefined, {
      'x-request-id': '<b>"',
    });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(api.logged).toContainEqual(
      expect.objectContaining({ request_id: 'from-the-proxy-1', status: 404 }),
    );
  });

  test('forbids scripts, styles and frames from elsewhere', async () => {
    const answer = await fleet.api.ask(null, 'GET', '/api/v1/nothing');
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('to something unexpected is 500 without details, and the log has them by the request id', async () => {
    const api = await createTestApi({ db: fleet.api.db });
    api.app.get('/test/broken', () => {
      throw new Error('a row with secret-of-the-row in it');
    });
    const answer = await api.ask(null, 'GET', '/test/broken');
    const text = await answer.clone().text();
    expect(answer.status).toBe(500);
    expect(text + JSON.stringify(api.logged)).not.toContain('secret-of-the-row');
    await api.close();
    const logged = api.logged.find(({ level }) => level === 'error');
    expect(logged).toMatchObject({ request_id: answer.headers.get('x-request-id') });
  });

  test('while PostgreSQL is away is 503, and says when to come back', async () => {
    const db = openDatabase({ url: 'postgresql://nobody@127.0.0.1:9/none' });
    const api = await createTestApi({ db });
    const answer = await api.ask(null, 'POST', '/api/v1/auth/login', {
      email: 'a@b',
      password: 'x',
    });
    await expectProblem(answer, 503);
    expect(answer.headers.get('retry-after')).toBe('5');
    await api.close();
    await db.destroy();
  });
});
