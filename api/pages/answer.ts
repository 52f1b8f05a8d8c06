import type { Context } from 'hono';
import { html } from 'hono/html';

import type { ApiEnv, Identity, Person } from '../env.ts';
import { Problem } from '../problem.ts';
import type { Html } from './components.ts';
import { type AssetUrls, sheetPage } from './layout.ts';

/** Answers page requests and finds their viewer. */

/** Whether a browser requests a page, rather than a program JSON. */
export function wantsPage(c: Context): boolean {
  return !c.req.path.startsWith('/api/') && (c.req.header('accept') ?? '').includes('text/html');
}

/** A page is private to its viewer and must not be cached. */
export async function answerPage(
  c: Context,
  content: Html,
  status: 200 | 401 | 403 | 404 | 422 | 429 = 200,
): Promise<Response> {
  c.header('cache-control', 'no-store');
  return c.html(content, status);
}

/** Lets the address bar show the short form of what a filter's form sent. */
export function showShortAddress(c: Context<ApiEnv>, href: string): void {
  const isRenewal = c.req.header('x-renewal') !== undefined;
  if (c.req.header('hx-request') === 'true' && !isRenewal) c.header('hx-push-url', href);
}

/** The path to return to after an action: only paths of this site. */
export function ownPath(value: unknown, fallback: string): string {
  // A second slash or a backslash would lead a browser to another host; a header takes visible ASCII only.
  return typeof value === 'string' && /^\/(?!\/)[!-[\]-~]*$/.test(value) ? value : fallback;
}

/** The person who is signed in, also with a password that must be changed. @throws Problem, which leads to the sign-in. */
export async function identityOf(c: Context<ApiEnv>): Promise<Identity> {
  const identity = await c.get('identify')();
  if (identity === null) throw new Problem('not-signed-in', 'Sign in first.');
  return identity;
}

/** The person who views the page. @throws Problem, which leads a browser to the sign-in or to the change of password. */
export async function viewerOf(c: Context<ApiEnv>): Promise<Person> {
  const { person } = await identityOf(c);
  if (person.mustChangePassword)
    throw new Problem('password-change-required', 'Change your password first.');
  return person;
}

/** As `viewerOf`, for operators and administrators only. */
export async function staffOf(c: Context<ApiEnv>): Promise<Person> {
  const person = await viewerOf(c);
  if (person.role === 'CUSTOMER')
    throw new Problem('role-not-sufficient', 'Only operators may do this.');
  return person;
}

/** A problem as a page; redirects people who are not signed in, or must change their password. */
export async function problemPage(
  c: Context<ApiEnv>,
  problem: Problem,
  assets: AssetUrls,
): Promise<Response> {
  const isFragment = c.req.header('hx-request') === 'true';
  const { pathname, search } = new URL(c.req.url);
  if (problem.kind === 'not-signed-in' && !isFragment) {
    const isRead = c.req.method === 'GET' && pathname !== '/';
    const next = isRead ? `?next=${encodeURIComponent(pathname + search)}` : '';
    return c.redirect(`/login${next}`, 303);
  }
  if (problem.kind === 'password-change-required') {
    if (!isFragment) return c.redirect('/password', 303);
    c.header('hx-redirect', '/password');
  }
  if (problem.retryAfterS !== null) c.header('retry-after', String(problem.retryAfterS));
  c.header('cache-control', 'no-store');
  const content = problemSheet({
    title: problem.title,
    detail: problem.message,
    requestId: problem.status >= 500 ? c.get('requestId') : null,
  });
  return c.html(sheetPage(problem.title, assets, content), problem.status);
}

/** A page for something missing, forbidden or failed: what happened, and a link back. */
function problemSheet(view: { title: string; detail: string; requestId: string | null }): Html {
  return html`<h2>${view.title}</h2>
    <p data-problem>${view.detail}</p>
    ${view.requestId === null ? '' : html`<p class="muted">Request ${view.requestId}</p>`}
    <p><a href="/">Back to the fleet</a></p>`;
}
