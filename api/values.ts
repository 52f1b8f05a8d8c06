import type { MiddlewareHandler } from 'hono';

import { hasHiddenCharacters } from '../domain/hidden-characters.ts';
import type { ApiEnv } from './env.ts';
import { Problem } from './problem.ts';

/**
 * Checks every value of a request before a route reads it: path, query, form and JSON. What passes can be stored, logged and
 * shown. Node's parser refuses control characters in headers, and the few headers that routes read have patterns of their own.
 */

/** Passwords and credentials: their own rules say which characters they may have, and no message repeats them. */
const secretNames: ReadonlySet<string> = new Set([
  'password',
  'current_password',
  'new_password',
  'new_password_again',
  'credentials',
]);
const nameLengthMax = 60;
const hiddenMessage =
  'must be without control characters and marks that turn the direction of text';

export function checkedValues(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { pathname, searchParams } = new URL(c.req.url);
    checkPath(pathname);
    for (const [name, value] of searchParams) checkValue('query', name, value);
    if (c.req.raw.body !== null) {
      // The routes of the API take JSON only, pages take forms only.
      if (pathname.startsWith('/api/')) checkJson(await c.req.text());
      else await checkForm(c);
    }
    await next();
  };
}

function checkPath(pathname: string): void {
  let text: string;
  try {
    text = decodeURIComponent(pathname);
  } catch {
    text = '\0';
  }
  if (hasHiddenCharacters(text)) throw new Problem('not-found', 'There is no such page.');
}

function checkValue(part: 'query' | 'form' | 'json', name: string, value: string): void {
  if (secretNames.has(name)) return;
  if (!hasHiddenCharacters(value) && !hasHiddenCharacters(name)) return;
  const path = name
    .toWellFormed()
    .replaceAll(/[^\x21-\x7e]/g, '?')
    .slice(0, nameLengthMax);
  throw new Problem('invalid-request', `${path}: ${hiddenMessage}`, {
    extra: { errors: [{ in: part, path, message: hiddenMessage }] },
  });
}

/** Text that is no JSON is left to the route, which refuses it after the sign-in. */
function checkJson(body: string): void {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return;
  }
  // Without recursion: 64 KB of `[` are deeper than the stack.
  const open: [name: string, value: unknown][] = [['body', document]];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const [name, value] = one;
    if (typeof value === 'string') checkValue('json', name, value);
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, member] of Object.entries(value)) {
      const path = Array.isArray(value) ? name : key;
      checkValue('json', path, '');
      if (!secretNames.has(path)) open.push([path, member]);
    }
  }
}

async function checkForm(c: Parameters<MiddlewareHandler<ApiEnv>>[0]): Promise<void> {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  const isForm = type === 'application/x-www-form-urlencoded' || type === 'multipart/form-data';
  if (!isForm) {
    if ((await c.req.arrayBuffer()).byteLength === 0) return;
    throw new Problem('media-type-not-supported', 'Send a form.');
  }
  let fields: Record<string, unknown>;
  try {
    fields = await c.req.parseBody({ all: true });
  } catch (cause) {
    throw new Problem('malformed-body', 'The body does not match its content type.', { cause });
  }
  for (const [name, values] of Object.entries(fields))
    for (const value of [values].flat()) {
      if (typeof value !== 'string')
        throw new Problem('invalid-request', 'This form takes no files.');
      // A comment may have several lines; `textField` joins them.
      checkValue('form', name, value.replaceAll(/[\t\r\n]/g, ' '));
    }
}

/**
 * A whole number of the query. Absent: 0.
 *
 * @throws Problem 422
 */
export function wholeNumberOf(text: string | undefined, name: string, max: number): number {
  const number = text === undefined || text === '' ? 0 : Number(text);
  if (/^\d*$/.test(text ?? '') && number <= max) return number;
  const message = `must be a whole number from 0 to ${max}`;
  throw new Problem('invalid-request', `${name}: ${message}`, {
    extra: { errors: [{ in: 'query', path: name, message }] },
  });
}
