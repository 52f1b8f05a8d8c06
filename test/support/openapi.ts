import fc from 'fast-check';

import { testCredentialForms } from './api.ts';

/** Requests made from an OpenAPI 3.1 document: valid ones, and ones that are nearly so. */

export type Schema = Record<string, unknown>;

export interface DocumentedRoute {
  method: string;
  /** `/api/v1/plants/{id}` */
  path: string;
  role: 'PUBLIC' | 'CUSTOMER' | 'OPERATOR' | 'ADMIN';
  parameters: { name: string; in: string; required: boolean; schema: Schema }[];
  /** Of a JSON body; null: none is taken. */
  body: Schema | null;
  statuses: number[];
}

interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

interface Operation {
  'x-role'?: DocumentedRoute['role'];
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

export function documentedRoutes(document: object): DocumentedRoute[] {
  const { paths } = document as OpenApiDocument;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const role = operation['x-role'];
      if (role === undefined) throw new Error(`${method} ${path} says no x-role`);
      return {
        method: method.toUpperCase(),
        path,
        role,
        parameters: (operation.parameters ?? []).map((parameter) => ({
          ...parameter,
          required: parameter.required === true,
        })),
        body: operation.requestBody?.content['application/json']?.schema ?? null,
        statuses: Object.keys(operation.responses).map(Number),
      };
    }),
  );
}

export interface GeneratedRequest {
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

/** What may stand in a secret's place; no answer and no log line may hold it. */
export const canary = 'canary-c0ffee-c0ffee';

/** Ids of things that are there, by the parameter's path before it: `/api/v1/plants/{id}` → `/api/v1/plants/`. */
export type KnownIds = Record<string, readonly string[]>;

/** Texts that have broken programs before. */
export const nastyTexts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-1',
    '1e309',
    'NaN',
    'null',
    '\0',
    '%00',
    "'; drop table plants; --",
    '../../etc/passwd',
    '__proto__',
    '\ud800',
    '9'.repeat(30),
    '2026-02-30',
    '9999-12-31T23:59:59.999Z',
    '-000001-01-01T00:00:00Z',
    '+275760-09-13T00:00:00.001Z',
    'x'.repeat(5_000),
  ),
);

/** A request to the route that its schemas allow. */
export function validRequest(
  document: object,
  route: DocumentedRoute,
  known: KnownIds,
): fc.Arbitrary<GeneratedRequest> {
  return request(document, route, known, 'valid');
}

/** A request to the route that is valid in most of its parts, and wild in the others. */
export function wildRequest(
  document: object,
  route: DocumentedRoute,
  known: KnownIds,
): fc.Arbitrary<GeneratedRequest> {
  return request(document, route, known, 'wild');
}

function request(
  document: object,
  route: DocumentedRoute,
  known: KnownIds,
  kind: 'valid' | 'wild',
): fc.Arbitrary<GeneratedRequest> {
  const valueOf = (name: string, schema: Schema) => {
    const valid = allowed(document, schema, name).map(String);
    return kind === 'valid'
      ? valid
      : fc.oneof({ weight: 5, arbitrary: valid }, { weight: 1, arbitrary: nastyTexts });
  };
  const inPath = route.parameters
    .filter((parameter) => parameter.in === 'path')
    .map(({ name, schema }) => {
      const before = route.path.slice(0, route.path.indexOf(`{${name}}`));
      const there = known[before];
      const value = valueOf(name, schema);
      return fc.tuple(
        fc.constant(name),
        there === undefined || there.length === 0
          ? value
          : kind === 'valid'
            ? fc.constantFrom(...there)
            : fc.oneof(
                { weight: 4, arbitrary: fc.constantFrom(...there) },
                { weight: 1, arbitrary: value },
              ),
      );
    });
  const elsewhere = route.parameters
    .filter((parameter) => parameter.in !== 'path')
    // What may be left out is: options can exclude each other in ways that no schema says.
    .filter((parameter) => kind === 'wild' || parameter.required)
    .map((parameter) => {
      const value = valueOf(parameter.name, parameter.schema);
      const given = parameter.required ? value : fc.option(value, { nil: undefined });
      return fc.tuple(fc.constant(parameter), given);
    });
  return fc
    .tuple(fc.tuple(...inPath), fc.tuple(...elsewhere), body(document, route, kind))
    .map(([path, others, { text, contentType }]) => {
      let filled = route.path;
      for (const [name, value] of path) filled = filled.replace(`{${name}}`, () => encoded(value));
      const query = others.flatMap(([parameter, value]) =>
        parameter.in === 'query' && value !== undefined
          ? [`${encoded(parameter.name)}=${encoded(value)}`]
          : [],
      );
      const headers = others.flatMap(([parameter, value]) =>
        parameter.in === 'header' && value !== undefined
          ? [[parameter.name, headerText(value)]]
          : [],
      );
      return {
        path: query.length === 0 ? filled : `${filled}?${query.join('&')}`,
        headers: {
          ...Object.fromEntries(headers),
          ...(contentType === null ? {} : { 'content-type': contentType }),
        },
        body: text,
      };
    });
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** What fetch lets through in a header. */
function headerText(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 300);
}

function body(
  document: object,
  route: DocumentedRoute,
  kind: 'valid' | 'wild',
): fc.Arbitrary<{ text: string | undefined; contentType: string | null }> {
  if (route.body === null) return fc.constant({ text: undefined, contentType: null });
  const valid = allowed(document, route.body, '').map((value) => JSON.stringify(value));
  const json = { contentType: 'application/json' };
  if (kind === 'valid') return valid.map((text) => ({ text, ...json }));
  const shaken = fc
    .tuple(allowed(document, route.body, ''), fc.nat(), fc.jsonValue())
    .map(([value, at, other]) => JSON.stringify(shake(value, at, other)));
  return fc.oneof(
    { weight: 6, arbitrary: valid.map((text) => ({ text, ...json })) },
    { weight: 4, arbitrary: shaken.map((text) => ({ text, ...json })) },
    { weight: 1, arbitrary: fc.json().map((text) => ({ text, ...json })) },
    { weight: 1, arbitrary: nastyTexts.map((text) => ({ text, ...json })) },
    { weight: 1, arbitrary: valid.map((text) => ({ text, contentType: 'text/plain' })) },
  );
}

/** The value with one of its members replaced, removed or added. */
function shake(value: unknown, at: number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return other;
  const keys = Object.keys(value);
  const key = keys[at % Math.max(1, keys.length)];
  if (key === undefined || at % 5 === 0) return { ...value, surprise: other };
  return { ...value, [key]: at % 3 === 0 ? undefined : other };
}

/** Values that the schema allows. `name`: of the member or parameter; secrets are canaries. */
function allowed(document: object, schema: Schema, name: string): fc.Arbitrary<unknown> {
  const ref = schema['$ref'];
  if (typeof ref === 'string') {
    const { components } = document as OpenApiDocument;
    return allowed(document, components?.schemas?.[ref.split('/').at(-1) ?? ''] ?? {}, name);
  }
  if ('const' in schema) return fc.constant(schema['const']);
  const choices = schema['enum'];
  if (Array.isArray(choices)) return fc.constantFrom(...(choices as unknown[]));
  const alternatives = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (alternatives !== undefined)
    return fc.oneof(...alternatives.map((each) => allowed(document, each, name)));
  const { type } = schema;
  if (Array.isArray(type))
    return fc.oneof(
      ...type.map((each) => allowed(document, { ...schema, type: each as unknown }, name)),
    );
  if (type === 'string') return validText(schema, name);
  if (type === 'integer') {
    const any = fc.integer(bounds(schema, true));
    // The ids of what is there are small.
    return name.endsWith('_id') ? fc.oneof(fc.integer({ min: 1, max: 4 }), any) : any;
  }
  if (type === 'number') return fc.double({ ...bounds(schema, false), noNaN: true });
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'array')
    return fc.array(allowed(document, (schema['items'] ?? {}) as Schema, name), { maxLength: 3 });
  if (type === 'object') return validObject(document, schema, name);
  return fc.jsonValue();
}

function validObject(document: object, schema: Schema, name: string): fc.Arbitrary<unknown> {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const required = (schema['required'] ?? []) as string[];
  const more = schema['additionalProperties'];
  const members = Object.fromEntries(
    Object.entries(properties).map(([key, each]) => [
      key,
      allowed(document, each, `${name}.${key}`),
    ]),
  );
  if (name.endsWith('credentials') && typeof more === 'object')
    return fc
      .constantFrom(...Object.values(testCredentialForms))
      .map(({ credentialFields: fields }) =>
        Object.fromEntries(fields.map((field) => [field, canary])),
      );
  const record = fc.record(members, { requiredKeys: required });
  if (typeof more !== 'object' || more === null) return record;
  const entries = fc.dictionary(
    fc.stringMatching(/^[a-z_]{1,12}$/),
    allowed(document, more as Schema, name),
    {
      maxKeys: 3,
    },
  );
  return fc.tuple(record, entries).map(([fixed, free]) => ({ ...free, ...fixed }));
}

function validText(schema: Schema, name: string): fc.Arbitrary<string> {
  if (/password|secret|credential|token/i.test(name))
    return fc.integer({ min: 0, max: 9 }).map((n) => `${canary}-${n}`);
  if (name.endsWith('.url'))
    return fc.integer({ min: 0, max: 9 }).map((n) => `https://hooks.example.org/${canary}-${n}`);
  const { format, pattern } = schema as { format?: string; pattern?: string };
  if (format === 'date-time')
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  if (format === 'date')
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString().slice(0, 10));
  if (name.endsWith('timezone')) return fc.constantFrom('Europe/Amsterdam', 'America/Sao_Paulo');
  if (pattern?.includes('\\p{') === true) {
    // fast-check makes no text for Unicode properties; most texts fit.
    const fits = new RegExp(pattern, 'u');
    return fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => fits.test(text));
  }
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, 'u'));
  const min = Number(schema['minLength'] ?? 0);
  const max = Math.min(Number(schema['maxLength'] ?? 40), min + 40);
  return fc.oneof(
    fc.string({ minLength: min, maxLength: max }),
    fc.string({ unit: 'grapheme', minLength: min, maxLength: max }),
  );
}

function bounds(schema: Schema, whole: boolean): { min: number; max: number } {
  const step = whole ? 1 : Number.EPSILON;
  const low =
    schema['minimum'] ??
    (schema['exclusiveMinimum'] === undefined
      ? undefined
      : Number(schema['exclusiveMinimum']) + step);
  const high =
    schema['maximum'] ??
    (schema['exclusiveMaximum'] === undefined
      ? undefined
      : Number(schema['exclusiveMaximum']) - step);
  const widest = whole ? Number.MAX_SAFE_INTEGER : 1e12;
  return {
    min: Math.max(Number(low ?? -widest), -widest),
    max: Math.min(Number(high ?? widest), widest),
  };
}
