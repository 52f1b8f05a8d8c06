import type { Db } from '../db/database.ts';
import {
  type CheckKind,
  type CheckOutcome,
  readNewestChecks,
  writeCheck,
} from '../db/polling-checks.ts';
import { closeProblem, reportProblem } from '../db/problems.ts';
import { counted } from '../domain/wording.ts';
import type { CheckReport } from './contract.ts';
import type { Deps } from './deps.ts';

/** The automatic checks: they keep what they found, and tell people of errors. */

/** How each check looks. The worker gives it, because activities do not ask Temporal. */
export type Checks = Readonly<Record<CheckKind, (nowMs: number) => Promise<CheckOutcome>>>;

/** What a problem says at most; the run keeps more. */
const toldMax = 3;

/** The activity that runs a check. @throws what the services throw while they are away: Temporal tries again. */
export function createCheck({ db, clock }: Pick<Deps, 'db' | 'clock'>, checks: Checks) {
  return async function checkPolling(args: {
    kind: CheckKind;
    nowMs: number;
  }): Promise<CheckReport> {
    const { kind } = args;
    const startedMs = Math.max(args.nowMs, clock());
    const outcome = await checks[kind](startedMs);
    const endedMs = Math.max(startedMs, clock());
    const times = { startedAt: new Date(startedMs), endedAt: new Date(endedMs) };
    await db.transaction().execute(async (trx) => {
      const before = (await readNewestChecks(trx)).find((run) => run.kind === kind);
      await writeCheck(trx, { kind, ...times, ...outcome });
      await tell(trx, kind, { before, outcome, nowMs: endedMs });
    });
    return { findings: outcome.findings, kinds: outcome.kinds };
  };
}

/**
 * Opens or closes the problem of a check. A broken invariant is told at once. What validate finds once may be a restart: it is
 * told if it is down, or found twice in a row.
 */
async function tell(
  trx: Db,
  kind: CheckKind,
  {
    before,
    outcome,
    nowMs,
  }: { before: CheckOutcome | undefined; outcome: CheckOutcome; nowMs: number },
): Promise<void> {
  const { state, findings, sentences } = outcome;
  const command = kind.toLowerCase();
  const key = { subject: { kind: 'SYSTEM', id: command }, code: 'CHECK_FAILED' } as const;
  if (state === 'ok') {
    await closeProblem(trx, key, nowMs);
    return;
  }
  const isLasting = kind === 'AUDIT' || state === 'down' || (before?.findings ?? 0) > 0;
  if (!isLasting) return;
  const first = sentences.slice(0, toldMax).join(' ');
  const message = `\`heliograph ${command}\` has ${counted(findings, 'finding')}. ${first}`;
  const severity = kind === 'AUDIT' || state === 'down' ? 'RED' : 'YELLOW';
  await reportProblem(trx, { ...key, severity, message }, nowMs);
}
