import type { SubjectKind } from '../domain/subject.ts';
import type { Db } from './database.ts';

/** The audit log: what people did. */

/** Who decided something. */
export interface Decider {
  /** The e-mail address of a person signed in; `cli:<user of the machine>` at a terminal. */
  actor: string;
  /** The id of the API's request, which the request's log lines carry too; null at a terminal. */
  requestId: string | null;
}

/** A decision about one subject. `before` and `after` hold what changed, without secrets. */
export interface Decision {
  action: string;
  subjectType: SubjectKind;
  subjectId: string;
  before: unknown;
  after: unknown;
}

/** Decisions per statement: each has nine parameters, and a statement takes 65,535. */
const decisionsPerInsert = 1_000;

/** Writes decisions into the audit log, in the transaction that carries them out. */
export async function recordDecisions(
  trx: Db,
  decisions: readonly Decision[],
  by: Decider,
  at: Date,
): Promise<void> {
  for (let from = 0; from < decisions.length; from += decisionsPerInsert) {
    await trx
      .insertInto('audit_log')
      .values(
        decisions
          .slice(from, from + decisionsPerInsert)
          .map(({ action, subjectType, subjectId, before, after }) => ({
            at,
            actor: by.actor,
            action,
            subject_type: subjectType,
            subject_id: subjectId,
            before: before === null ? null : JSON.stringify(before),
            after: after === null ? null : JSON.stringify(after),
            request_id: by.requestId,
          })),
      )
      .execute();
  }
}
