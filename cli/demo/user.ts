import type { Kysely } from 'kysely';

import { generatePassword, hashPassword } from '../../api/auth/passwords.ts';
import { createSignInLink, peekSignInLink } from '../../api/auth/sign-in.ts';
import { findUserByEmail, insertUser } from '../../db/people/users.ts';
import type { Database } from '../../db/tables.ts';
import type { Config } from '../../environment/config.ts';
import { withDatabase } from '../../environment/services.ts';

/** The demo's account, whose password nobody knows: people sign in by link only. */
export const demoEmail = 'demo@localhost';

/** Creates the demo's ADMIN, once. @returns the token of a new sign-in link; older links end. */
export async function demoSignIn(db: Kysely<Database>): Promise<string> {
  const userId = (await findUserByEmail(db, demoEmail))?.id ?? (await addDemoUser(db));
  return db.transaction().execute((trx) => createSignInLink({ db: trx, clock: Date.now }, userId));
}

/** Whether the link still works: unused, not replaced, and within its hour. */
export async function isLinkOpen(config: Config, token: string): Promise<boolean> {
  return withDatabase(
    config,
    async (db) => (await peekSignInLink({ db, clock: Date.now }, token)) !== undefined,
  );
}

async function addDemoUser(db: Kysely<Database>): Promise<number> {
  const passwordHash = await hashPassword(generatePassword());
  const user = {
    email: demoEmail,
    passwordHash,
    role: 'ADMIN',
    customerId: null,
    // Nobody knows the password, so nobody can change it.
    mustChangePassword: false,
  } as const;
  const by = { actor: 'cli:start', requestId: null };
  const id = await db.transaction().execute((trx) => insertUser(trx, user, by, new Date()));
  if (id === null) throw new Error(`${demoEmail} was created by another process meanwhile`);
  return id;
}
