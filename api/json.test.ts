import { z } from '@hono/zod-openapi';
import { expect, test } from 'vitest';

import { jsonOf } from './json.ts';

const schema = z.object({ id: z.int(), at: z.string(), ended_at: z.string().nullable() });

test('a row goes out with the members that its schema names, and instants as text', () => {
  const row = { id: 1, at: new Date(0), ended_at: null, password_hash: 'secret' };
  expect(jsonOf(schema, row)).toEqual({ id: 1, at: '1970-01-01T00:00:00.000Z', ended_at: null });
});

test('a row without one of them, or with another type, does not compile', () => {
  // @ts-expect-error -- `at` is missing.
  expect(jsonOf(schema, { id: 1, ended_at: null })).toMatchObject({ at: undefined });
  // @ts-expect-error -- a number is no instant.
  expect(jsonOf(schema, { id: new Date(0), at: '', ended_at: null })).toBeDefined();
});
