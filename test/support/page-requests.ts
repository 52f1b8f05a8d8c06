import fc from 'fast-check';

import { nastyTexts, type KnownIds } from './openapi.ts';
import type { WireRequest } from './served-api.ts';

/** Requests for pages and forms, as browsers and attackers send them: valid in most of their parts, and wild in the others. */

export interface PageRoute {
  method: 'GET' | 'POST';
  /** `/plants/:id/pause` */
  path: string;
}

/** The pages and forms among the routes that are served: neither the API nor files. */
export function pageRoutesOf(routes: readonly { method: string; path: string }[]): PageRoute[] {
  const pages = routes.filter(
    ({ method, path }) =>
      (method === 'GET' || method === 'POST') &&
      !path.includes('*') &&
      !path.startsWith('/api/') &&
      !path.startsWith('/assets/'),
  );
  const named = pages.map(({ method, path }) => [`${method} ${path}`, { method, path }] as const);
  return [...new Map(named).values()] as PageRoute[];
}

/** Every name that a page reads from its query, and a form from its fields. */
const queryNames = [
  'tab',
  'offset',
  'status',
  'brand',
  'customer',
  'q',
  'sort',
  'pages',
  'next',
  'priority',
  'plant',
  'preset',
  'point',
  'unit',
  'span',
  'outcome',
  'before',
  'area',
];
const fieldNames = ['email', 'password', 'next', 'token', 'comment', 'for', 'back', 'reason'];
const otherNames = [
  'current_password',
  'new_password',
  'new_password_again',
  'then',
  'zone',
  'own',
  'id',
  'name',
  'host',
  'port',
  'unit_id',
  'preset',
  'priority',
  'poll_interval_s',
  'plant_id',
  'discover',
];

const usualTexts = fc.constantFrom(
  '',
  '0',
  '1',
  '3600',
  'active',
  'resolved',
  'RED',
  'SOLIS',
  'noord',
  '-lost',
  '/alerts',
  '/plants/noord-1',
  'Europe/Amsterdam',
  'a comment',
  'somebody@example.org',
  '10.4.3.21',
  'sdm630',
  'true',
  '1:power_w',
  'HIGH',
);
const hostileTexts = fc.constantFrom(
  '/\u0001',
  '//evil.example',
  '/\\evil.example',
  'https://evil.example',
  '/漢字',
  '\u001B[2J',
  'a\u202Eb',
  '1e300',
  '-1',
  '0x10',
  '9'.repeat(400),
  '<script>alert(1)</script>',
  'line\r\nset-cookie: a=b',
);
const text = fc.oneof(
  { weight: 8, arbitrary: usualTexts },
  { weight: 1, arbitrary: hostileTexts },
  { weight: 1, arbitrary: nastyTexts },
);

const encoded = (value: string): string => encodeURIComponent(value.toWellFormed());
const pairs = (names: readonly string[], maxLength = 4) =>
  fc.array(fc.tuple(fc.constantFrom(...names), text), { maxLength });

/** A part of a path: an id that is there, any text, or what is no valid escape. */
function pathPart(ids: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: text.map(encoded) },
    { weight: 1, arbitrary: fc.constantFrom('%ff', '%', '%00', '%2e%2e', '..', '%5c', ';', '\\') },
  );
}

type Body = Pick<WireRequest, 'body'> & { type: string | null };

function bodyOf(boundary: string): fc.Arbitrary<Body> {
  const fields = pairs([...fieldNames, ...otherNames]);
  const part = ([name, value]: [string, string]) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const multipart = `multipart/form-data; boundary=${boundary}`;
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fields.map((given) => ({
        body: given.map(([name, value]) => `${name}=${encoded(value)}`).join('&'),
        type: 'application/x-www-form-urlencoded',
      })),
    },
    {
      weight: 2,
      arbitrary: fields.map((given) => ({
        body: `${given.map(part).join('')}--${boundary}--\r\n`,
        type: multipart,
      })),
    },
    {
      weight: 1,
      arbitrary: fc.constant({
        body: `--${boundary}\r\ncontent-disposition: form-data; name="comment"; filename="a\u0000b"\r\n\r\nx\r\n--${boundary}--\r\n`,
        type: multipart,
      }),
    },
    { weight: 1, arbitrary: nastyTexts.map((body) => ({ body, type: multipart })) },
    {
      weight: 1,
      arbitrary: fc.record({
        body: nastyTexts,
        type: fc.constantFrom(
          'multipart/form-data',
          'application/json',
          'text/plain',
          'x',
          'application/x-www-form-urlencoded; charset=utf-16',
        ),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ body: '', type: null }) },
  );
}

/** What Node's client sends in a header. */
const headerText = text.map((value) => value.replaceAll(/[^\u0020-\u007e\u0080-\u00ff]/g, '?'));

/** A request to this page or form. @param known ids that are there, by the path before them. */
export function wildPageRequest(route: PageRoute, known: KnownIds): fc.Arbitrary<WireRequest> {
  const ids = known[`/api/v1${route.path.split(':')[0] ?? ''}`] ?? ['1'];
  const headers = fc.record(
    {
      accept: fc.constantFrom('text/html', '*/*', 'application/json'),
      'hx-request': fc.constant('true'),
      'x-renewal': fc.constant('1'),
      'accept-encoding': fc.constantFrom('gzip', 'br, deflate', '*;q=0'),
      'x-request-id': headerText,
      'x-forwarded-for': headerText,
      'if-none-match': headerText,
    },
    { requiredKeys: ['accept'] },
  );
  // A token stands above the session, so few requests have one.
  const token = fc.oneof(
    { weight: 9, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: headerText.map((value) => ({ authorization: `Bearer ${value}` })) },
  );
  const query = pairs([...queryNames, 'token'], route.method === 'GET' ? 4 : 1);
  const body =
    route.method === 'GET' ? fc.constant({ body: undefined, type: null }) : bodyOf('b0undary');
  return fc
    .tuple(pathPart(ids), query, headers, token, body)
    .map(([id, asked, given, bearer, { body: sent, type }]) => {
      const search = asked.map(([name, value]) => `${name}=${encoded(value)}`).join('&');
      return {
        method: route.method,
        path: `${route.path.replace(/:\w+/, () => id)}${search === '' ? '' : `?${search}`}`,
        headers: { ...given, ...bearer, ...(type === null ? {} : { 'content-type': type }) },
        ...(sent === undefined ? {} : { body: sent }),
      };
    });
}
