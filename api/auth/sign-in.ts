import { createHash, randomBytes } from 'node:crypto';

import type { verify } from '@node-rs/bcrypt';

import type { Decider } from '../../db/audit-log.ts';
import { type Db, instant } from '../../db/database.ts';
import { recordRefusedSignIn, type SignInRefusal } from '../../db/people/refused-sign-ins.ts';
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
import { createTurns } from '../turns.ts';
import { deviceOf, type Origin } from './devices.ts';
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

type SignInDeps = Pick<ApiDeps, 'db' | 'clock' | 'log' | 'jwtKey'>;

/**
 * Password checks, which bcrypt does on two of the four threads that Node has for file names, compression and signatures: the
 * other two are left to all other requests. A check takes about 0.3 s, so the last one in a full line waits for some 6 s.
 */
const passwordTurns = createTurns({
  atOnce: 2,
  waitingMax: 40,
  waitingMaxOfKey: 20,
  busy: 'Too many people sign in at this moment: try again in a few seconds.',
});

interface Attempt extends Origin {
  email: string;
  password: string;
}

/**
 * Checks e-mail address and password. Throws Problem: 429 after too many refused attempts or while too many are checked, 401
 * for a wrong one, after the same time for an unknown e-mail address. Every refusal is logged and leaves a row of the audit log.
 */
export async function signInByPassword(
  deps: SignInDeps,
  attempt: Attempt,
  verifyHash?: typeof verify,
): Promise<UserRow> {
  try {
    const user = await findUserByEmail(deps.db, attempt.email);
    const counted = countedAs(deps, attempt, user);
    const nowMs = deps.clock();
    // What the limits refuse takes no place in the line.
    await refuseBeyondLimits(deps, counted, { nowMs, own: 0 });
    return await passwordTurns(counted.address, () =>
      judge(deps, { user, password: attempt.password, counted, verifyHash }),
    );
  } catch (error) {
    if (error instanceof Problem)
      await noteRefusal(deps, attempt, error instanceof RefusedSignIn ? error.reason : 'BUSY');
    throw error;
  }
}

/** The limits that hold for an attempt, and the values by which it is counted. */
interface Counted {
  email: string;
  address: string;
  isKnownDevice: boolean;
}

/** A known device is counted apart from the address that it shares with others. */
function countedAs(deps: SignInDeps, attempt: Attempt, user: UserRow | undefined): Counted {
  const device = user === undefined ? null : deviceOf(deps, user, attempt.device);
  return {
    email: normalEmail(attempt.email).slice(0, 254),
    address: device === null ? attempt.address : `device:${device}`,
    isKnownDevice: device !== null,
  };
}

/** Checks the password when it is its turn: at most two attempts are counted and not yet judged. */
async function judge(
  deps: SignInDeps,
  asked: {
    user: UserRow | undefined;
    password: string;
    counted: Counted;
    verifyHash: typeof verify | undefined;
  },
): Promise<UserRow> {
  const { user, password, counted, verifyHash } = asked;
  const nowMs = deps.clock();
  const at = instant(nowMs);
  const { email, address } = counted;
  // Counts before judging, so that of many concurrent guesses none passes uncounted.
  const failureId = await insertLoginFailure(deps.db, { email, address }, at);
  try {
    await refuseBeyondLimits(deps, counted, { nowMs, own: 1 });
  } catch (error) {
    // Not judged, so not counted; otherwise repeated attempts would keep the account closed for ever.
    await deleteLoginFailure(deps.db, failureId);
    throw error;
  }
  const isEnabled = user !== undefined && user.disabled_at === null;
  const isRight = await isPasswordRight(
    password,
    isEnabled ? user.password_hash : null,
    verifyHash,
  );
  if (!isEnabled || !isRight)
    throw new RefusedSignIn('WRONG', 'The e-mail address or the password is wrong.');
  await deleteLoginFailure(deps.db, failureId);
  await forgetLoginFailures(deps.db, nowMs - windowMs);
  await noteLogin(deps.db, user.id, at);
  return user;
}

/**
 * @param now.own number of counted attempts that are this one.
 * @throws Problem 429, with the time to wait.
 */
async function refuseBeyondLimits(
  deps: SignInDeps,
  counted: Counted,
  { nowMs, own }: { nowMs: number; own: 0 | 1 },
): Promise<void> {
  const counts = await countLoginFailures(deps.db, counted, nowMs - windowMs);
  const isWithin =
    counts.pair - own < attemptsMax.pair &&
    (counted.isKnownDevice ||
      (counts.address - own < attemptsMax.address && counts.account - own < attemptsMax.account));
  if (isWithin) return;
  const freeAtMs = (counts.oldestAt?.getTime() ?? nowMs) + windowMs;
  throw new RefusedSignIn('TOO_MANY', 'Too many refused attempts to sign in: wait a while.', {
    retryAfterS: Math.max(1, Math.ceil((freeAtMs - nowMs) / 1000)),
  });
}

interface NotedOrigin {
  email: string | null;
  address: string;
  requestId?: string | null;
}

/** A problem that says why, for the log and the audit log. */
class RefusedSignIn extends Problem {
  readonly reason: 'WRONG' | 'TOO_MANY';

  constructor(
    reason: RefusedSignIn['reason'],
    detail: string,
    options: { retryAfterS?: number } = {},
  ) {
    super(reason === 'WRONG' ? 'sign-in-refused' : 'too-many-requests', detail, options);
    this.reason = reason;
  }
}

/** Logs a refused sign-in and writes it into the audit log. @param from.email null: a link names nobody. */
async function noteRefusal(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'log'>,
  { email, address, requestId = null }: NotedOrigin,
  reason: SignInRefusal,
): Promise<void> {
  const normal = email === null ? null : normalEmail(email).slice(0, 254);
  deps.log.info({ request_id: requestId, email: normal, address, reason }, 'a sign-in was refused');
  const nowMs = deps.clock();
  const when = { requestId, nowMs, sinceMs: nowMs - windowMs };
  await recordRefusedSignIn(deps.db, { email: normal, address, reason }, when);
}

/**
 * Changes a person's own password and ends every session and token. Throws Problem: 401 if the present one is wrong, 422 if the
 * new one is invalid, 429 after too many wrong ones.
 *
 * @param change.current null: a one-time link has shown who the person is.
 * @returns the session version that is valid from now on, and the hash of the new password.
 */
export async function changePassword(
  deps: SignInDeps,
  person: Person,
  change: { current: string | null; next: string; from: Origin },
  by: Decider,
): Promise<SignedIn & { passwordHash: string }> {
  const fault = passwordFault(change.next);
  if (fault !== null) throw invalidPassword(fault);
  const { current: password, next, from } = change;
  const user =
    password === null
      ? await findUserByEmail(deps.db, person.email)
      : await signInByPassword(deps, { email: person.email, password, ...from });
  if (user === undefined) throw new Problem('not-signed-in', 'Sign in first.');
  const passwordHash = await passwordTurns(`user:${user.id}`, async () => {
    if (await isPasswordRight(next, user.password_hash))
      throw invalidPassword('the new password is the old one');
    return hashPassword(next);
  });
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
  return { userId: user.id, sessionVersion, passwordHash };
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
  deps: Pick<ApiDeps, 'db' | 'clock'>,
  token: string,
): Promise<UserRow | undefined> {
  return findSignInLink(deps.db, digest(token), deps.clock());
}

/** Signs in with a link, once; undefined when the link has ended, which is a refused sign-in. */
export async function signInByLink(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'log'>,
  token: string,
  from: Origin,
): Promise<UserRow | undefined> {
  const user = await useSignInLink(deps.db, digest(token), deps.clock());
  if (user === undefined) await noteRefusal(deps, { ...from, email: null }, 'LINK_ENDED');
  else await noteLogin(deps.db, user.id, instant(deps.clock()));
  return user;
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
