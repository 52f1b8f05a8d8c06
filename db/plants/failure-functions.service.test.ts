import { sql } from 'kysely';
import { expect } from 'vitest';

import { countsForIncident, refusesAccount, scopeOf } from '../../domain/plants/failure.ts';
import { adapterErrorTypes, failureScopes } from '../../domain/plants/plant.ts';
import { database, test } from '../../test/support/test-database.ts';

/** The SQL functions of failures say of a stored poll what domain/plants/failure.ts says of a failure. */

const polls = adapterErrorTypes.flatMap((type) =>
  [undefined, ...failureScopes].flatMap((scope) =>
    [undefined, false].map((certain) => ({
      failure: {
        type,
        ...(scope === undefined ? {} : { scope }),
        ...(certain === undefined ? {} : { certain }),
      },
      stored: { outcome: 'FAILED', errorType: type, errorScope: scope, errorCertain: certain },
    })),
  ),
);

const read = async (poll: object | null) => {
  const json = poll === null ? null : JSON.stringify(poll);
  const { rows } = await sql<{ scope: string | null; refuses: boolean; counts: boolean }>`
    select failure_scope(p) as scope, refuses_account(p) as refuses, counts_for_incident(p) as counts
    from (select ${json}::jsonb as p) q`.execute(database.db);
  return rows[0];
};

test('failed polls of every type, scope and certainty', async () => {
  for (const { failure, stored } of polls)
    expect(await read(stored), JSON.stringify(stored)).toEqual({
      scope: scopeOf(failure),
      refuses: refusesAccount(failure),
      counts: countsForIncident(failure),
    });
});

test('polls that did not fail, and plants without a poll, refuse and count nothing', async () => {
  const nothing = { scope: null, refuses: false, counts: false };
  expect(await read({ outcome: 'PARTIAL', errorType: 'AUTH_FAILED' })).toEqual(nothing);
  expect(await read({ outcome: 'OK', errorType: null })).toEqual(nothing);
  expect(await read(null)).toEqual(nothing);
});

test('credentials that the vendor was never shown count nothing for its brand', async () => {
  const failure = { type: 'AUTH_FAILED', scope: 'ACCOUNT', credentials: 'MISSING' } as const;
  const { type: errorType, scope: errorScope, credentials } = failure;
  const stored = { outcome: 'FAILED', errorType, errorScope, credentials };
  expect(await read(stored)).toMatchObject({ counts: false });
  expect(await read({ ...stored, credentials: undefined })).toMatchObject({ counts: true });
  expect(countsForIncident(failure)).toBe(false);
});
