import { sql } from 'kysely';

import { type Db, query } from './database.ts';

/** Stores the answers to requests that have an idempotency key, so that a repeated request is carried out once. */

/** How long an answer is kept. */
const keptFor = sql`interval '24 hours'`;
/** No request runs longer. An older one ended with its process, and the same request may run again. */
const runsAtMost = sql`interval '2 minutes'`;

export interface StoredAnswer {
  status: number;
  body: unknown;
}

export type Claim =
  /** The caller carries the request out, and then stores or releases it. */
  | { kind: 'CLAIMED' }
  | { kind: 'RUNNING' }
  | { kind: 'ANSWERED'; answer: StoredAnswer }
  /** The key was used for another request. */
  | { kind: 'OTHER_REQUEST' };

export interface IdempotencyKey {
  /** Whose keys they are, as `kind:id`: two people may use the same key. @example 'user:7' */
  scope: string;
  key: string;
}

const isKey = ({ scope, key }: IdempotencyKey) => sql<boolean>`scope = ${scope} and key = ${key}`;

/** @param requestHash SHA-256 of what makes the request the same. */
export async function claimKey(db: Db, asked: IdempotencyKey, requestHash: Buffer): Promise<Claim> {
  await query(db)`delete from idempotency_keys where created_at < now() - ${keptFor}`;
  const claimed = await sql`
    insert into idempotency_keys as k (scope, key, request_hash) values (${asked.scope}, ${asked.key}, ${requestHash})
    on conflict (scope, key) do update set created_at = now()
    where k.status is null and k.request_hash = excluded.request_hash and k.created_at < now() - ${runsAtMost}`.execute(
    db,
  );
  if ((claimed.numAffectedRows ?? 0n) > 0n) return { kind: 'CLAIMED' };
  const row = await db
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'status', 'body'])
    .where(isKey(asked))
    .executeTakeFirst();
  // The key was released between the two statements; the next repetition carries the request out.
  if (row === undefined) return { kind: 'RUNNING' };
  if (!row.request_hash.equals(requestHash)) return { kind: 'OTHER_REQUEST' };
  return row.status === null
    ? { kind: 'RUNNING' }
    : { kind: 'ANSWERED', answer: { status: row.status, body: row.body } };
}

export async function storeAnswer(
  db: Db,
  asked: IdempotencyKey,
  answer: StoredAnswer,
): Promise<void> {
  await db
    .updateTable('idempotency_keys')
    .set({ status: answer.status, body: JSON.stringify(answer.body) })
    .where(isKey(asked))
    .execute();
}

/** Frees the key of a request that did nothing, so that the same request may run again. */
export async function releaseKey(db: Db, asked: IdempotencyKey): Promise<void> {
  await db.deleteFrom('idempotency_keys').where(isKey(asked)).where('status', 'is', null).execute();
}
