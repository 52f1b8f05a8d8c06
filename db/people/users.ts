import { type Selectable, sql } from 'kysely';

import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, instant, queryRow } from '../database.ts';
import type { Role, PeopleTables } from './tables.ts';

/** Reads and writes people who sign in, their refused attempts and their sign-in links. */

export type UserRow = Selectable<PeopleTables['users']>;

const viewColumns = [
  'id',
  'email',
  'role',
  'customer_id',
  'must_change_password',
  'disabled_at',
  'created_at',
  'last_login_at',
] as const;

/** A user without the password hash, as operators see it. */
export type UserView = Pick<UserRow, (typeof viewColumns)[number]>;

/** E-mail addresses are stored in lower case, so that nobody has two accounts by accident. */
export function normalEmail(email: string): string {
  return email.trim().toLowerCase();
}

/** @param email as typed. @returns the user, even a disabled one. */
export async function findUserByEmail(db: Db, email: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('email', '=', normalEmail(email))
    .executeTakeFirst();
}

/** The user, if `sessionVersion` is still valid; undefined for a disabled user and for ended sessions. */
export async function findSessionUser(
  db: Db,
  userId: number,
  sessionVersion: number,
): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('id', '=', userId)
    .where('session_version', '=', sessionVersion)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
}

export async function listUsers(db: Db): Promise<UserView[]> {
  return db.selectFrom('users').select(viewColumns).orderBy('email').execute();
}

export interface NewUser {
  email: string;
  passwordHash: string;
  role: Role;
  customerId: string | null;
  mustChangePassword: boolean;
}

/** @returns the new user's id; null when the address is taken. */
export async function insertUser(
  trx: Db,
  user: NewUser,
  by: Decider,
  at: Date,
): Promise<number | null> {
  const row = await trx
    .insertInto('users')
    .values({
      email: normalEmail(user.email),
      password_hash: user.passwordHash,
      role: user.role,
      customer_id: user.customerId,
      must_change_password: user.mustChangePassword,
    })
    .onConflict((conflict) => conflict.column('email').doNothing())
    .returning(['id', 'email'])
    .executeTakeFirst();
  if (row === undefined) return null;
  const after = { role: user.role, customer_id: user.customerId };
  await recordOf(trx, row.email, { action: 'ADD_USER', after }, { by, at });
  return row.id;
}

/**
 * Sets a new password and ends all sessions, tokens and sign-in links of the user.
 *
 * @param change.expectedHash changes nothing unless this is the stored hash, so that of two concurrent changes one fails.
 * @param change.enable a reset enables a disabled user again.
 * @returns the new session version; null if there is no such user, or the hash differs.
 */
export async function replacePassword(
  trx: Db,
  userId: number,
  change: {
    passwordHash: string;
    mustChangePassword: boolean;
    expectedHash?: string;
    enable?: boolean;
  },
  { by, at }: { by: Decider; at: Date },
): Promise<number | null> {
  let update = trx
    .updateTable('users')
    .set({
      password_hash: change.passwordHash,
      must_change_password: change.mustChangePassword,
      session_version: sql<number>`session_version + 1`,
      ...(change.enable === true ? { disabled_at: null } : {}),
    })
    .where('id', '=', userId);
  if (change.expectedHash !== undefined)
    update = update.where('password_hash', '=', change.expectedHash);
  const row = await update.returning(['email', 'session_version']).executeTakeFirst();
  if (row === undefined) return null;
  await deleteSignInLinks(trx, userId);
  const action = change.mustChangePassword ? 'RESET_PASSWORD' : 'CHANGE_PASSWORD';
  await recordOf(trx, row.email, { action, after: null }, { by, at });
  return row.session_version;
}

/**
 * Changes what a user may see and do, from the next request on; sessions go on. @returns false if no such user exists.
 */
export async function changeUser(
  trx: Db,
  userId: number,
  change: { role: Role; customerId: string | null },
  { by, at }: { by: Decider; at: Date },
): Promise<boolean> {
  const before = await trx
    .selectFrom('users')
    .select(['email', 'role', 'customer_id'])
    .where('id', '=', userId)
    .forUpdate()
    .executeTakeFirst();
  if (before === undefined) return false;
  const { email, ...was } = before;
  const after = { role: change.role, customer_id: change.customerId };
  await trx.updateTable('users').set(after).where('id', '=', userId).execute();
  await recordOf(trx, email, { action: 'CHANGE_USER', before: was, after }, { by, at });
  return true;
}

/** Disables a user and ends all sessions; the row stays, because the audit log refers to it. @returns false if no enabled user exists. */
export async function disableUser(
  trx: Db,
  userId: number,
  by: Decider,
  at: Date,
): Promise<boolean> {
  const row = await trx
    .updateTable('users')
    .set({ disabled_at: at, session_version: sql<number>`session_version + 1` })
    .where('id', '=', userId)
    .where('disabled_at', 'is', null)
    .returning('email')
    .executeTakeFirst();
  if (row === undefined) return false;
  await deleteSignInLinks(trx, userId);
  await recordOf(trx, row.email, { action: 'REMOVE_USER', after: null }, { by, at });
  return true;
}

/** Writes what was done to a user into the audit log. */
async function recordOf(
  trx: Db,
  email: string,
  done: { action: string; before?: unknown; after: unknown },
  { by, at }: { by: Decider; at: Date },
): Promise<void> {
  const decision = { subjectType: 'USER', subjectId: email, before: null, ...done } as const;
  await recordDecisions(trx, [decision], by, at);
}

/** Ends every session and token of the user: signing out. */
export async function endSessions(db: Db, userId: number): Promise<void> {
  await db
    .updateTable('users')
    .set({ session_version: sql<number>`session_version + 1` })
    .where('id', '=', userId)
    .execute();
}

/** Stores the time of a sign-in. */
export async function noteLogin(db: Db, userId: number, at: Date): Promise<void> {
  await db.updateTable('users').set({ last_login_at: at }).where('id', '=', userId).execute();
}

/** Refused attempts since an instant, as the limits count them. */
export interface FailureCounts {
  /** By this account from this address; by this account; from this address. */
  pair: number;
  account: number;
  address: number;
  /** The oldest counted attempt: when it leaves the window, one more attempt is allowed. */
  oldestAt: Date | null;
}

export async function countLoginFailures(
  db: Db,
  attempt: { email: string; address: string },
  sinceMs: number,
): Promise<FailureCounts> {
  return queryRow(db)<FailureCounts>`
    select count(*) filter (where email = ${attempt.email} and address = ${attempt.address}) as pair,
      count(*) filter (where email = ${attempt.email}) as account,
      count(*) filter (where address = ${attempt.address}) as address, min(at) as "oldestAt"
    from login_failures
    where (email = ${attempt.email} or address = ${attempt.address}) and at > ${instant(sinceMs)}`;
}

/** Stores a refused attempt. @returns the row's id, with which a successful attempt is removed again. */
export async function insertLoginFailure(
  db: Db,
  attempt: { email: string; address: string },
  at: Date,
): Promise<number> {
  const row = await db
    .insertInto('login_failures')
    .values({ at, ...attempt })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

export async function deleteLoginFailure(db: Db, id: number): Promise<void> {
  await db.deleteFrom('login_failures').where('id', '=', id).execute();
}

/** Deletes attempts before an instant, which no limit counts any more. */
export async function forgetLoginFailures(db: Db, beforeMs: number): Promise<void> {
  await db.deleteFrom('login_failures').where('at', '<', instant(beforeMs)).execute();
}

/** Stores a link's digest. */
export async function insertSignInLink(
  db: Db,
  link: { tokenHash: Buffer; userId: number; expiresAt: Date },
): Promise<void> {
  await db
    .insertInto('sign_in_links')
    .values({
      token_hash: link.tokenHash,
      user_id: link.userId,
      expires_at: link.expiresAt,
      used_at: null,
    })
    .execute();
}

/** The user of a valid link. */
export async function findSignInLink(
  db: Db,
  tokenHash: Buffer,
  nowMs: number,
): Promise<UserRow | undefined> {
  return db
    .selectFrom('sign_in_links as l')
    .innerJoin('users as u', 'u.id', 'l.user_id')
    .selectAll('u')
    .where('l.token_hash', '=', tokenHash)
    .where('l.used_at', 'is', null)
    .where('l.expires_at', '>', instant(nowMs))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
}

/** Uses a link up: of two concurrent calls one gets the user. */
export async function useSignInLink(
  db: Db,
  tokenHash: Buffer,
  nowMs: number,
): Promise<UserRow | undefined> {
  const used = await db
    .updateTable('sign_in_links')
    .set({ used_at: instant(nowMs) })
    .where('token_hash', '=', tokenHash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', instant(nowMs))
    .returning('user_id')
    .executeTakeFirst();
  if (used === undefined) return undefined;
  return db
    .selectFrom('users')
    .selectAll()
    .where('id', '=', used.user_id)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
}

/** Ends the links of the user: a newer link or password replaces them, or the user was removed. */
export async function deleteSignInLinks(db: Db, userId: number): Promise<void> {
  await db.deleteFrom('sign_in_links').where('user_id', '=', userId).execute();
}
