import type { Generated } from 'kysely';

import type { NullableJson } from './columns.ts';
import { type Db, instant, query } from './database.ts';

/** What the automatic checks found. */

export const checkKinds = ['VALIDATE', 'AUDIT'] as const;
/** VALIDATE: is everything that should be polled watched now. AUDIT: do the invariants hold. */
export type CheckKind = (typeof checkKinds)[number];

export interface CheckOutcome {
  /** The worst of what was found. */
  state: 'ok' | 'degraded' | 'down';
  findings: number;
  /** Findings by kind: `{ SLOT_OVERDUE: 2 }`. */
  kinds: Readonly<Record<string, number>>;
  /** What was looked at: `{ plants: 12 }`. */
  counts: Readonly<Record<string, number>>;
  /** The first of the findings, in words. */
  sentences: readonly string[];
}

/** One run of a check, as it is kept. */
export interface CheckRun extends CheckOutcome {
  kind: CheckKind;
  startedAt: Date;
  endedAt: Date;
}

export interface PollingCheckTables {
  polling_checks: {
    id: Generated<number>;
    kind: CheckKind;
    started_at: Date;
    ended_at: Date;
    state: CheckOutcome['state'];
    findings: number;
    kinds: NullableJson<CheckOutcome['kinds']>;
    counts: NullableJson<CheckOutcome['counts']>;
    sentences: NullableJson<string[]>;
  };
}

/** How long runs are kept. */
const keptDays = 7;

/** Keeps a run, and forgets those of more than a week ago. */
export async function writeCheck(trx: Db, run: CheckRun): Promise<void> {
  const { kind, startedAt, endedAt, state, findings, kinds, counts, sentences } = run;
  await trx
    .insertInto('polling_checks')
    .values({
      kind,
      started_at: startedAt,
      ended_at: endedAt,
      state,
      findings,
      kinds: JSON.stringify(kinds),
      counts: JSON.stringify(counts),
      sentences: JSON.stringify(sentences),
    })
    .execute();
  await query(trx)`
    delete from polling_checks
    where started_at < ${instant(endedAt.getTime())}::timestamptz - make_interval(days => ${keptDays})`;
}

/** The newest run of each kind. */
export async function readNewestChecks(db: Db): Promise<CheckRun[]> {
  return query(db)<CheckRun>`
    select distinct on (kind) kind, started_at as "startedAt", ended_at as "endedAt", state, findings, kinds, counts,
      sentences
    from polling_checks order by kind desc, id desc`;
}
