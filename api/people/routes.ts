import { createRoute, z } from '@hono/zod-openapi';

import { requirePerson, personOf } from '../auth/guard.ts';
import { signOut } from '../auth/people.ts';
import { originOf } from '../auth/devices.ts';
import { clearSession, setSession } from '../auth/session.ts';
import { changePassword, signInByPassword } from '../auth/sign-in.ts';
import { issueToken, signedInAs, type SignedIn } from '../auth/tokens.ts';
import type { ApiDeps } from '../deps.ts';
import { deciderOf, type Person } from '../env.ts';
import { problems, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonAnswer, jsonBody, newRoutes } from '../route.ts';

/** An upper limit, above the 72 bytes that bcrypt reads. */
const passwordCharactersMax = 1_024;
const roleSchema = z.enum(['ADMIN', 'OPERATOR', 'CUSTOMER']);
const emailSchema = z.string().min(3).max(254);

const tokenSchema = z
  .object({
    token: z.string().openapi({ description: 'for `Authorization: Bearer …`' }),
    token_type: z.literal('Bearer'),
    expires_at: instantSchema,
    role: roleSchema,
    customer_id: z.string().nullable(),
    must_change_password: z
      .boolean()
      .openapi({ description: 'true: the API allows only POST /auth/change-password first' }),
  })
  .openapi('Token');

const login = createRoute({
  method: 'post',
  path: '/auth/login',
  tags: ['auth'],
  summary: 'Sign in: a token for 15 minutes',
  ...access('PUBLIC'),
  request: {
    body: jsonBody(
      z
        .strictObject({
          email: emailSchema.openapi({ example: 'ana@example.org' }),
          password: z.string().min(1).max(passwordCharactersMax),
        })
        .openapi('Login'),
    ),
  },
  responses: answers(tokenSchema, 'signed in', [400, 401, 413, 415, 422, 429, 503]),
});

/** Allowed for people who must change their password; signing out is too. */
const signedIn = { ...access('CUSTOMER'), middleware: [requirePerson()] };

const change = createRoute({
  method: 'post',
  path: '/auth/change-password',
  tags: ['auth'],
  summary: 'Change your own password: all tokens and sessions end; the answer has a new token',
  ...signedIn,
  request: {
    body: jsonBody(
      z
        .strictObject({
          current_password: z.string().min(1).max(passwordCharactersMax),
          new_password: z.string().min(1).max(passwordCharactersMax).openapi({
            description: 'at least 12 characters, at most 72 bytes, not the present one',
          }),
        })
        .openapi('PasswordChange'),
    ),
  },
  responses: answers(tokenSchema, 'changed', [...writing, 409, 429]),
});

const signOutEverywhere = createRoute({
  method: 'post',
  path: '/auth/sign-out',
  tags: ['auth'],
  summary: 'End all your tokens and sessions',
  ...signedIn,
  responses: { 204: { description: 'signed out' }, ...problems(401, 403, 503) },
});

const meSchema = z
  .object({
    email: z.string(),
    role: roleSchema,
    customer_id: z.string().nullable(),
    must_change_password: z.boolean(),
  })
  .openapi('Me');

const me = createRoute({
  method: 'get',
  path: '/auth/me',
  tags: ['auth'],
  summary: 'Who is signed in',
  ...signedIn,
  responses: { 200: jsonAnswer(meSchema, 'you'), ...problems(401, 503) },
});

export function authRoutes(deps: ApiDeps) {
  async function tokenAnswer(who: SignedIn, person: Person): Promise<z.output<typeof tokenSchema>> {
    const { token, expiresAt } = await issueToken(deps, who, deps.clock());
    const { email: _, ...about } = meOf(person);
    return { token, token_type: 'Bearer', expires_at: expiresAt.toISOString(), ...about };
  }

  return newRoutes()
    .openapi(login, async (c) => {
      const { email, password } = c.req.valid('json');
      const user = await signInByPassword(deps, { email, password, ...originOf(c, deps) });
      c.header('cache-control', 'no-store');
      return c.json(await tokenAnswer(signedInAs(user), personOf(user)), 200);
    })
    .openapi(change, async (c) => {
      const { current_password: current, new_password: next } = c.req.valid('json');
      const person = c.get('person');
      const asked = { current, next, from: originOf(c, deps) };
      const who = await changePassword(deps, person, asked, deciderOf(c));
      if ((await c.get('identify')())?.by === 'SESSION') await setSession(c, deps, who);
      c.header('cache-control', 'no-store');
      return c.json(await tokenAnswer(who, { ...person, mustChangePassword: false }), 200);
    })
    .openapi(signOutEverywhere, async (c) => {
      await signOut(deps, c.get('person').userId);
      clearSession(c, deps);
      return c.body(null, 204);
    })
    .openapi(me, (c) => c.json(meOf(c.get('person')), 200));
}

function meOf(person: Person): z.output<typeof meSchema> {
  return {
    email: person.email,
    role: person.role,
    customer_id: person.customerId,
    must_change_password: person.mustChangePassword,
  };
}
