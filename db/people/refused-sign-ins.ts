import { sql } from 'kysely';

import { recordDecisions } from '../audit-log.ts';
import { type Db, instant } from '../database.ts';

/** Refused sign-ins in the audit log: what a person or a program tried who is not known. */

/** Why a sign-in was refused. */
export type SignInRefusal =
  /** The address or the password is wrong, or the user was removed. */
  | 'WRONG'
  /** The limits of attempts refused it unjudged. */
  | 'TOO_MANY'
  /** Too many passwords were being checked. */
  | 'BUSY'
  /** The link was used, has expired, or never was. */
  | 'LINK_ENDED';

const action = 'REFUSE_SIGN_IN';
const subjectType = 'ADDRESS';

/**
 * Writes a refused sign-in into the audit log, as a row about the network address: the e-mail address is only what somebody
 * typed. Wrong passwords are limited in number, so each has a row. The other refusals are not, so they have one row for each
 * network address since `sinceMs`.
 */
export async function recordRefusedSignIn(
  db: Db,
  refused: { email: string | null; address: string; reason: SignInRefusal },
  { requestId, nowMs, sinceMs }: { requestId: string | null; nowMs: number; sinceMs: number },
): Promise<void> {
  const { email, address, reason } = refused;
  if (reason !== 'WRONG' && (await isRecorded(db, address, sinceMs))) return;
  await recordDecisions(
    db,
    [
      {
        action,
        subjectType,
        subjectId: address,
        before: null,
        after: { reason, email, address },
      },
    ],
    { actor: `address:${address}`, requestId },
    instant(nowMs),
  );
}

async function isRecorded(db: Db, address: string, sinceMs: number): Promise<boolean> {
  const row = await db
    .selectFrom('audit_log')
    .select('at')
    .where('subject_type', '=', subjectType)
    .where('subject_id', '=', address)
    .where('action', '=', action)
    .where(sql`after ->> 'reason'`, '<>', 'WRONG')
    .where('at', '>', instant(sinceMs))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
