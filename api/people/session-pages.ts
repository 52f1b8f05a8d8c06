import { Hono } from 'hono';
import type { UserRow } from '../../db/people/users.ts';
import { signOut } from '../auth/people.ts';
import { knowDevice, originOf } from '../auth/devices.ts';
import { clearSession, setSession } from '../auth/session.ts';
import { changePassword, peekSignInLink, signInByLink, signInByPassword } from '../auth/sign-in.ts';
import { signedInAs } from '../auth/tokens.ts';
import type { ApiDeps } from '../deps.ts';
import { type ApiEnv, deciderOf, type Identity } from '../env.ts';
import { Problem } from '../problem.ts';
import { answerPage, identityOf, ownPath } from '../pages/answer.ts';
import type { Html } from '../pages/components.ts';
import { type AssetUrls, sheetPage } from '../pages/layout.ts';
import { linkForm, passwordForm, signInForm } from './sign-in-page.ts';

/** Pages for signing in and out, and for a person's own password. */

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Shows an error in the form's input above its button; rethrows any other error. */
function formProblem(error: unknown): Problem {
  if (error instanceof Problem && [401, 409, 422, 429].includes(error.status)) return error;
  throw error;
}

const statusOf = (problem: Problem): 401 | 422 | 429 =>
  problem.status === 401 || problem.status === 429 ? problem.status : 422;

const nextOf = (user: UserRow, path: string): string =>
  user.must_change_password ? '/password' : path;

export function sessionPages(deps: ApiDeps, assets: AssetUrls): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  addLogin(routes, deps, assets);
  addLink(routes, deps, assets);
  addPassword(routes, deps, assets);
  routes.post('/logout', async (c) => {
    const identity = await c.get('identify')();
    if (identity !== null) await signOut(deps, identity.person.userId);
    clearSession(c, deps);
    return c.redirect('/login', 303);
  });
  return routes;
}

function addLogin(routes: Hono<ApiEnv>, deps: ApiDeps, assets: AssetUrls): void {
  const form = (view: Parameters<typeof signInForm>[0]): Html =>
    sheetPage('Sign in', assets, signInForm(view));

  routes.get('/login', async (c) => {
    const next = ownPath(c.req.query('next'), '/');
    if ((await c.get('identify')()) !== null) return c.redirect(next, 303);
    return answerPage(c, form({ email: '', error: null, next }));
  });

  routes.post('/login', async (c) => {
    const body = await c.req.parseBody();
    const email = text(body['email']);
    const next = ownPath(body['next'], '/');
    try {
      const attempt = { email, password: text(body['password']), ...originOf(c, deps) };
      const user = await signInByPassword(deps, attempt);
      await setSession(c, deps, signedInAs(user));
      knowDevice(c, deps, user);
      return c.redirect(nextOf(user, next), 303);
    } catch (error) {
      const problem = formProblem(error);
      return answerPage(c, form({ email, error: problem.message, next }), statusOf(problem));
    }
  });
}

function addLink(routes: Hono<ApiEnv>, deps: ApiDeps, assets: AssetUrls): void {
  // A mail program may fetch the link before its reader does, so only the button uses it up.
  routes.get('/sign-in', async (c) => {
    const token = text(c.req.query('token'));
    const user = await peekSignInLink(deps, token);
    if (user === undefined) throw linkEnded();
    return answerPage(c, sheetPage('Sign in', assets, linkForm(user.email, token)));
  });

  routes.post('/sign-in', async (c) => {
    const body = await c.req.parseBody();
    const user = await signInByLink(deps, text(body['token']), originOf(c, deps));
    if (user === undefined) throw linkEnded();
    await setSession(c, deps, signedInAs(user), { isByLink: true });
    knowDevice(c, deps, user);
    return c.redirect(nextOf(user, body['next'] === 'password' ? '/password' : '/'), 303);
  });
}

function addPassword(routes: Hono<ApiEnv>, deps: ApiDeps, assets: AssetUrls): void {
  const form = ({ person, mayChoosePassword }: Identity, error: string | null): Html => {
    const { email, mustChangePassword: first } = person;
    const needsCurrent = !mayChoosePassword;
    return sheetPage(
      'Change password',
      assets,
      passwordForm({ email, first, needsCurrent, error }),
    );
  };

  routes.get('/password', async (c) => answerPage(c, form(await identityOf(c), null)));

  routes.post('/password', async (c) => {
    const identity = await identityOf(c);
    const { person, mayChoosePassword } = identity;
    const body = await c.req.parseBody();
    const next = text(body['new_password']);
    try {
      if (next !== text(body['new_password_again']))
        throw new Problem('invalid-request', 'The two new passwords differ.');
      const from = originOf(c, deps);
      const current = mayChoosePassword ? null : text(body['current_password']);
      const changed = await changePassword(
        deps,
        person,
        { current, next, from },
        deciderOf(c, person),
      );
      await setSession(c, deps, changed);
      knowDevice(c, deps, { id: changed.userId, password_hash: changed.passwordHash });
      return c.redirect('/', 303);
    } catch (error) {
      const problem = formProblem(error);
      return answerPage(c, form(identity, passwordError(problem)), statusOf(problem));
    }
  });
}

function linkEnded(): Problem {
  return new Problem(
    'not-found',
    'This sign-in link is no longer valid: it was used, or its hour is over. Ask for a new one.',
  );
}

/** Turns the routes' messages for programs into messages for the form. */
function passwordError(problem: Problem): string {
  if (problem.kind === 'sign-in-refused') return 'The current password is wrong.';
  return problem.message.replace('new_password: ', '').replace(/^./, (c) => c.toUpperCase());
}
