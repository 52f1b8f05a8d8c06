import { randomInt } from 'node:crypto';

import { hash, verify } from '@node-rs/bcrypt';

/** Checks, hashes and generates passwords; hashes are bcrypt. */

/** About 0.3 s of one core, which each guess costs as well. */
export const bcryptCost = 12;
export const charactersMin = 12;
/** bcrypt ignores further bytes. */
const bytesMax = 72;

/** Why this cannot be a new password; null if it can. */
export function passwordFault(password: string): string | null {
  if ([...password].length < charactersMin)
    return `a password has at least ${charactersMin} characters`;
  if (Buffer.byteLength(password) > bytesMax) return `a password has at most ${bytesMax} bytes`;
  // bcrypt stops at a NUL.
  if (/\p{Cc}/u.test(password)) return 'a password has no control characters';
  return null;
}

export async function hashPassword(password: string): Promise<string> {
  return hash(password, { cost: bcryptCost });
}

/** A hash of random bytes, which no password fits, at the same cost. */
let nobodysHash: Promise<string> | null = null;

/**
 * Whether the password fits the hash. Without a hash (no such user) it returns false after the same time.
 *
 * @param verifyHash lets tests see that the comparison ran.
 */
export async function isPasswordRight(
  password: string,
  passwordHash: string | null,
  verifyHash: typeof verify = verify,
): Promise<boolean> {
  const compared = passwordHash ?? (await (nobodysHash ??= hashPassword(generatePassword())));
  // bcrypt would compare the first 72 bytes only, so a longer password is refused, after the same time.
  const isTooLong = Buffer.byteLength(password) > bytesMax || password.includes('\0');
  const fits = await verifyHash(isTooLong ? '' : password, compared);
  return fits && passwordHash !== null && !isTooLong;
}

/** Without similar letters and digits. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 20 random characters of 32 in groups of five: 100 bits. */
export function generatePassword(): string {
  const group = () =>
    Array.from({ length: 5 }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
  return Array.from({ length: 4 }, group).join('-');
}
