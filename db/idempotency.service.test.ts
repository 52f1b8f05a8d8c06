import { createHash } from 'node:crypto';

import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { claimKey, releaseKey, storeAnswer } from './idempotency.ts';

const ana = { scope: 'user:7', key: 'poll-1' };
const requestOf = (text: string) => createHash('sha256').update(text).digest();
const answer = { status: 200, body: { outcome: 'OK' } };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => database.db.deleteFrom('idempotency_keys').execute());

const claim = (own = ana, request = 'POST /polls') =>
  claimKey(database.db, own, requestOf(request));
const age = (interval: string) =>
  sql`update idempotency_keys set created_at = now() - ${interval}::interval`.execute(database.db);

test('a request is carried out once, and its answer is given to the same request again', async () => {
  expect(await claim()).toEqual({ kind: 'CLAIMED' });
  expect(await claim()).toEqual({ kind: 'RUNNING' });
  await storeAnswer(database.db, ana, answer);
  expect(await claim()).toEqual({ kind: 'ANSWERED', answer });
  expect(await claim(ana, 'POST /else')).toEqual({ kind: 'OTHER_REQUEST' });
});

test.each([
  ['of another person', { scope: 'user:8', key: 'poll-1' }],
  ['of something that is no person', { scope: 'gateway:7', key: 'poll-1' }],
])('a key %s is another key', async (_, other) => {
  await claim();
  await storeAnswer(database.db, ana, answer);
  expect(await claim(other)).toEqual({ kind: 'CLAIMED' });
  const theirs = { status: 200, body: 'other' };
  await storeAnswer(database.db, other, theirs);
  expect(await claim()).toEqual({ kind: 'ANSWERED', answer });
  expect(await claim(other)).toEqual({ kind: 'ANSWERED', answer: theirs });
});

test('a key that was released may ask again; an answer is not released', async () => {
  await claim();
  await releaseKey(database.db, ana);
  expect(await claim()).toEqual({ kind: 'CLAIMED' });
  await storeAnswer(database.db, ana, answer);
  await releaseKey(database.db, ana);
  expect(await claim()).toEqual({ kind: 'ANSWERED', answer });
});

test('a request that has run for more than two minutes is taken over by one', async () => {
  await claim();
  await age('119 seconds');
  expect(await claim()).toEqual({ kind: 'RUNNING' });
  await age('121 seconds');
  expect(await claim()).toEqual({ kind: 'CLAIMED' });
  expect(await claim()).toEqual({ kind: 'RUNNING' });
});

test('an answer is kept for a day', async () => {
  await claim();
  await storeAnswer(database.db, ana, answer);
  await age('23 hours 59 minutes');
  expect(await claim()).toEqual({ kind: 'ANSWERED', answer });
  await age('24 hours 1 second');
  expect(await claim()).toEqual({ kind: 'CLAIMED' });
});
