import { createHash, randomBytes } from 'node:crypto';

import type { verify } from '@node-rs/bcrypt';

import type { Decider } from '../../db/audit-log.ts';
import { type Db, instant } from '../../db/database.ts';
import {
  countLoginFailures,
  deleteLoginFailure,
  deleteSignInLinks,
  findSignInLink,
  findUserByEmail,
  forgetLoginFailures,
  insertLoginFailure,
  insertSignInLink,
  noteLogin,
  normalEmail,
  replacePassword,
  type UserRow,
  useSignInLink,
} from '../../db/people/users.ts';
import type { ApiDeps } from '../deps.ts';
import type { Person } from '../env.ts';
import { Problem } from '../problem.ts';
import { forgetPeople } from './people.ts';
import { hashPassword, isPasswordRight, passwordFault } from './passwords.ts';
import type { SignedIn } from './tokens.ts';

/** Signs people in, for JSON routes and pages. */

/** Window in which refused attempts count, ms. */
const windowMs = 15 * 60_000;
/**
 * Limits of refused attempts, which hold until the oldest attempt leaves the window. The limit by account and address comes
 * first: a guesser elsewhere locks out only the guesser's address. The account's own limit stops guesses from many addresses.
 */
export const attemptsMax = { pair: 10, address: 50, account: 100 } as const;

type SignInDeps = Pick<ApiDeps, 'db' | 'clock'>;

/**
 * Checks e-mail address and password. Throws Problem: 429 after too many refused attempts, 401 for a wrong one, after the same
 * time for an unknown e-mail address.
 *
 * @param attempt.address the origin of the request.
 */
export async function signInByPassword(
  deps: SignInDeps,
  attempt: { email: string; password: string; address: string },
  verifyHash?: typeof verify,
): Promise<UserRow> {
  const nowMs = deps.clock();
  const at = instant(nowMs);
  const counted = { email: normalEmail(attempt.email).slice(0, 254), address: attempt.address };
  // Counts before judging, so that of many concurrent guesses none passes uncounted.
  const failureId = await insertLoginFailure(deps.db, counted, at);
  await refuseWhenTooMany(deps, counted, failureId, nowMs);
  const user = await findUserByEmail(deps.db, attempt.email);
  const isEnabled = user !== undefined && user.disabled_at === null;
  const isRight = await isPasswordRight(
    attempt.password,
    isEnabled ? user.password_hash : null,
    verifyHash,
  );
  if (!isEnabled || !isRight)
    throw new Problem('sign-in-refused', 'The e-mail address or the password is wrong.');
  await deleteLoginFailure(deps.db, failureId);
  await forgetLoginFailures(deps.db, nowMs - windowMs);
  await noteLogin(deps.db, user.id, at);
  return user;
}

/** @throws Problem 429, with the time to wait. */
async function refuseWhenTooMany(
  deps: SignInDeps,
  attempt: { email: string; address: string },
  failureId: number,
  nowMs: number,
): Promise<void> {
  const counts = await countLoginFailures(deps.db, attempt, nowMs - windowMs);
  const isWithin =
    counts.pair <= attemptsMax.pair &&
    counts.address <= attemptsMax.address &&
    counts.account <= attemptsMax.account;
  if (isWithin) return;
  // Not judged, so not counted; otherwise repeated attempts would keep the account closed for ever.
  await deleteLoginFailure(deps.db, failureId);
  const freeAtMs = (counts.oldestAt?.getTime() ?? nowMs) + windowMs;
  throw new Problem('too-many-requests', 'Too many refused attempts to sign in: wait a while.', {
    retryAfterS: Math.max(1, Math.ceil((freeAtMs - nowMs) / 1000)),
  });
}

/**
 * Changes a person's own password and ends every session and token. Throws Problem: 401 if the present one is wrong, 422 if the
 * new one is invalid, 429 after too many wrong ones.
 *
 * @returns the session version that is valid from now on.
 */
export async function changePassword(
  deps: SignInDeps,
  person: Person,
  change: { current: string; next: string; address: string },
  by: Decider,
): Promise<SignedIn> {
  const fault = passwordFault(change.next);
  if (fault !== null) throw invalidPassword(fault);
  const user = await signInByPassword(deps, {
    email: person.email,
    password: change.current,
    address: change.address,
  });
  if (await isPasswordRight(change.next, user.password_hash))
    throw invalidPassword('the new password is the old one');
  const passwordHash = await hashPassword(change.next);
  const sessionVersion = await deps.db
    .transaction()
    .execute((trx) =>
      replacePassword(
        trx,
        user.id,
        { passwordHash, mustChangePassword: false, expectedHash: user.password_hash },
        { by, at: instant(deps.clock()) },
      ),
    );
  forgetPeople(deps);
  if (sessionVersion === null)
    throw new Problem('conflict', 'Somebody else changed the password at the same time.');
  return { userId: user.id, sessionVersion };
}

function invalidPassword(message: string): Problem {
  return new Problem('invalid-request', `new_password: ${message}`, {
    extra: { errors: [{ in: 'json', path: 'new_password', message }] },
  });
}

/** Lifetime of a sign-in link. */
export const linkTtlMs = 60 * 60_000;
const linkTokenBytes = 32;

/** Creates a link and returns its token; older links of the user end. Only its digest is stored. */
export async function createSignInLink(
  deps: { db: Db; clock: () => number },
  userId: number,
): Promise<string> {
  const token = randomBytes(linkTokenBytes).toString('base64url');
  await deleteSignInLinks(deps.db, userId);
  await insertSignInLink(deps.db, {
    tokenHash: digest(token),
    userId,
    expiresAt: instant(deps.clock() + linkTtlMs),
  });
  return token;
}

/** The user of a link, without using it up, for the page that asks before it signs in; undefined when the link has ended. */
export async function peekSignInLink(
  deps: SignInDeps,
  token: string,
): Promise<UserRow | undefined> {
  return findSignInLink(deps.db, digest(token), deps.clock());
}

/** Signs in with a link, once; undefined when the link has ended. */
export async function signInByLink(deps: SignInDeps, token: string): Promise<UserRow | undefined> {
  const user = await useSignInLink(deps.db, digest(token), deps.clock());
  if (user !== undefined) await noteLogin(deps.db, user.id, instant(deps.clock()));
  return user;
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
