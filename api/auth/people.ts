import type { Kysely } from 'kysely';

import type { Database } from '../../db/tables.ts';
import { endSessions, findSessionUser, type UserRow } from '../../db/people/users.ts';
import type { ApiDeps } from '../deps.ts';
import type { SignedIn } from './tokens.ts';

/**
 * Finds the person of a token, with at most one query a second for each, so that pages that refresh do not add a query to every
 * request. A change by another process (a reset on the command line, for example) takes effect within a second, a change by
 * this process at once.
 */

const keptMs = 1_000;
/** Size of the cache: more people than send requests within a second. */
const keptMax = 1_000;

interface Kept {
  atMs: number;
  user: Promise<UserRow | undefined>;
}

const keptByDatabase = new WeakMap<Kysely<Database>, Map<string, Kept>>();

function keptOf(db: Kysely<Database>): Map<string, Kept> {
  const known = keptByDatabase.get(db);
  if (known !== undefined) return known;
  const fresh = new Map<string, Kept>();
  keptByDatabase.set(db, fresh);
  return fresh;
}

const keyOf = ({ userId, sessionVersion }: SignedIn) => `${userId}:${sessionVersion}`;

/** The user, if the session version is still valid; undefined for a disabled user and for ended sessions. */
export async function findPerson(
  deps: Pick<ApiDeps, 'db' | 'clock'>,
  who: SignedIn,
): Promise<UserRow | undefined> {
  const people = keptOf(deps.db);
  const nowMs = deps.clock();
  const kept = people.get(keyOf(who));
  if (kept !== undefined && nowMs >= kept.atMs && nowMs - kept.atMs < keptMs) return kept.user;
  const user = findSessionUser(deps.db, who.userId, who.sessionVersion);
  if (people.size >= keptMax) people.clear();
  people.set(keyOf(who), { atMs: nowMs, user });
  // Failed queries are not cached.
  user.catch(() => people.delete(keyOf(who)));
  return user;
}

/** Call this when this process ended sessions of a user. */
export function forgetPeople(deps: Pick<ApiDeps, 'db'>): void {
  keptByDatabase.delete(deps.db);
}

/** Ends every session and token of the person. */
export async function signOut(deps: Pick<ApiDeps, 'db'>, userId: number): Promise<void> {
  await endSessions(deps.db, userId);
  forgetPeople(deps);
}
