/** What alerts, rows of the outbox and rows of the audit log are about: a plant, an account, a user, the ledger. */

/**
 * A word in capitals, with underscores: such as `PLANT`. The database checks the spelling and lists no kinds, so that a
 * new one needs no migration.
 */
export type SubjectKind = Uppercase<string>;

/** @example { kind: 'PLANT', id: 'meadow' } */
export interface Subject {
  kind: SubjectKind;
  id: string;
}
