import { randomInt } from 'node:crypto';

import { hash, verify } from '@node-rs/bcrypt';

/** Passwords: bcrypt. */

/** About 0.3 s of one core: what guessing costs, too. */
export const bcryptCost = 12;
export const charactersMin = 12;
/** bcrypt looks at no more. */
const bytesMax = 72;

/** Why this may not be a new password; null when it may. */
export function passwordFault(password: string): string | null {
  if ([...password].length < charactersMin)
    return `a password has at least ${charactersMin} characters`;
  if (Buffer.byteLength(password) > bytesMax) return `a password has at most ${bytesMax} bytes`;
  // bcrypt would end at a NUL.
  if (/\p{Cc}/u.test(password)) return 'a password has no control characters';
  return null;
}

export async function hashPassword(password: string): Promise<string> {
  return hash(password, { cost: bcryptCost });
}

/** A hash that no password fits (it is of random bytes), at the same cost. */
let nobodysHash: Promise<string> | null = null;

/**
 * Whether the password fits the hash. Without a hash (there is no such user) it takes as long and says no.
 *
 * @param verifyHash is told in tests that it really ran.
 */
export async function isPasswordRight(
  password: string,
  passwordHash: string | null,
  verifyHash: typeof verify = verify,
): Promise<boolean> {
  const compared = passwordHash ?? (await (nobodysHash ??= hashPassword(generatePassword())));
  // bcrypt would compare the first 72 bytes only: what is longer is refused, and takes as long.
  const isTooLong = Buffer.byteLength(password) > bytesMax || password.includes('\0');
  const fits = await verifyHash(isTooLong ? '' : password, compared);
  return fits && passwordHash !== null && !isTooLong;
}

/** Without letters and digits that look alike. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 20 random characters of 32 in groups of five: 100 bits. */
export function generatePassword(): string {
  const group = () =>
    Array.from({ length: 5 }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
  return Array.from({ length: 4 }, group).join('-');
}
