import type { Kysely } from 'kysely';

import type { ProblemState } from '../../db/notifications/tables.ts';
import type { Database } from '../../db/tables.ts';

/** Adds a problem of the system. @returns its id. */
export async function insertProblem(
  db: Kysely<Database>,
  { state = 'OPEN', at = new Date() }: { state?: ProblemState; at?: Date } = {},
): Promise<number> {
  const { id } = await db
    .insertInto('problems')
    .values({
      subject_kind: 'SYSTEM',
      subject_id: 'polling',
      code: 'STOPPED',
      severity: 'RED',
      state,
      message: 'Monitoring has stopped.',
      opened_at: at,
      last_seen_at: at,
      closed_at: state === 'CLOSED' ? at : null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
