import { sql } from 'kysely';

import { type Db, query } from '../database.ts';
import { readPage } from '../page.ts';
import type { NotificationTables, ProblemState } from './tables.ts';
import type { Selectable } from 'kysely';

/** Problems: what needs a person and is no alert of a plant or gateway. */

export type ProblemView = Selectable<NotificationTables['problems']>;

export const problemStates = [
  'OPEN',
  'ACKNOWLEDGED',
  'CLOSED',
] as const satisfies readonly ProblemState[];

/** Problems in these states, the newest first. */
export async function listProblems(
  db: Db,
  states: readonly ProblemState[],
  page: { beforeId: number | null; limit: number },
): Promise<{ problems: ProblemView[]; nextBeforeId: number | null }> {
  const before = page.beforeId === null ? sql`` : sql`and id < ${page.beforeId}`;
  const { rows, nextAfter } = await readPage(
    page.limit,
    (limit) => query(db)<ProblemView>`
    select * from problems where state = any(${[...states]}::text[]) ${before} order by id desc limit ${limit}`,
  );
  return { problems: rows, nextBeforeId: nextAfter?.id ?? null };
}

/** The problem, locked until the transaction ends. */
export async function lockProblem(trx: Db, id: number): Promise<ProblemView | undefined> {
  return trx.selectFrom('problems').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** Records that a person has seen it. */
export async function writeProblemAck(
  trx: Db,
  id: number,
  ack: { by: string; at: Date; comment: string | null },
): Promise<ProblemView> {
  return trx
    .updateTable('problems')
    .set({ state: 'ACKNOWLEDGED', acked_at: ack.at, acked_by: ack.by, ack_comment: ack.comment })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
