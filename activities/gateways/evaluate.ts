import type { Kysely, Transaction } from 'kysely';

import { applyAlertChanges } from '../../db/alerts.ts';
import { type Decision, recordDecisions } from '../../db/audit-log.ts';
import { holdLease, type OwnedLease } from '../../db/gateways/leases.ts';
import { setDisabled } from '../../db/gateways/periods.ts';
import {
  factsOf,
  findToJudge,
  gatewaySubject,
  type GatewayToJudge,
  lockToJudge,
  networkProblem,
  readNetworkBefore,
  readPulse,
  writeStanding,
} from '../../db/gateways/standing.ts';
import { closeProblem, reportProblem } from '../../db/problems.ts';
import type { Database } from '../../db/tables.ts';
import {
  type DisableLimits,
  isOurNetwork,
  networkSentence,
} from '../../domain/gateways/disable.ts';
import {
  type GatewayChange,
  type JudgedGateway,
  judgeGateway,
} from '../../domain/gateways/evaluation.ts';
import type { GatewayFacts } from '../../domain/gateways/facts.ts';
import { minuteMs } from '../../domain/zone.ts';
import type { ActivityLog } from '../deps.ts';

/**
 * Judges gateways outside of the poll's path: their alerts, whether failures switch one off, and whether probes bring it back.
 * Every transaction is fenced by the lease of the shard, so that a walker that was frozen decides nothing.
 */

/** The most gateways of one transaction. */
const gatewaysPerTransaction = 50;
/** So often everything of a shard that may have an alert is judged, also where no poll gave reason to. */
const sweepEveryMs = 5 * minuteMs;
/** Who switches gateways off, in the audit log. */
const by = { actor: 'walker', requestId: null };

export interface EvaluateDeps {
  db: Kysely<Database>;
  limits: DisableLimits;
  /** How many shards there are. */
  shards: number;
  log: ActivityLog;
}

/** What an evaluation changed. The walker reads the gateways' new periods when it hears `gateways_changed`. */
export interface Evaluated {
  /** False: the lease is lost, and what came after that was not judged. */
  isHeld: boolean;
  disabled: string[];
  returned: string[];
}

export type EvaluateGateways = (
  args: { lease: OwnedLease; gatewayIds: readonly string[] },
  nowMs: number,
) => Promise<Evaluated>;

/**
 * Makes the evaluation of a process. Its function judges the gateways that the walker names, by what is stored of them; call
 * it after the batch with their rows, and every 10 s with those that time alone may have changed, or with none. Now and then
 * it also judges whatever else of the shard may have an alert.
 */
export function createEvaluateGateways(deps: EvaluateDeps): EvaluateGateways {
  /** When each shard was judged as a whole, by its lease's epoch: a new lease begins with it. */
  const swept = new Map<number, { epoch: number; atMs: number }>();

  return async ({ lease, gatewayIds }, nowMs) => {
    const last = swept.get(lease.shard);
    const isSweep = last?.epoch !== lease.epoch || nowMs - last.atMs >= sweepEveryMs;
    const { failures } = deps.limits;
    const place = { shard: lease.shard, shards: deps.shards, failures };
    const others = isSweep ? await findToJudge(deps.db, place) : [];
    const ids = [...new Set([...gatewayIds, ...others])].sort();
    const evaluation = new Evaluation(deps, lease, nowMs);
    const evaluated = await evaluation.run(ids);
    if (isSweep && evaluated.isHeld) swept.set(lease.shard, { epoch: lease.epoch, atMs: nowMs });
    return evaluated;
  };
}

class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** One evaluation. */
class Evaluation {
  readonly #deps: EvaluateDeps;
  readonly #lease: OwnedLease;
  readonly #nowMs: number;
  readonly #disabled: string[] = [];
  readonly #returned: string[] = [];
  /** Our network fails, or failed lately. */
  #isOurNetwork = false;

  constructor(deps: EvaluateDeps, lease: OwnedLease, nowMs: number) {
    this.#deps = deps;
    this.#lease = lease;
    this.#nowMs = nowMs;
  }

  async run(ids: readonly string[]): Promise<Evaluated> {
    let isHeld = true;
    try {
      await this.#judgeNetwork(ids);
      const changing: string[] = [];
      for (let from = 0; from < ids.length; from += gatewaysPerTransaction)
        changing.push(...(await this.#judge(ids.slice(from, from + gatewaysPerTransaction))));
      for (const id of changing) await this.#change(id);
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
      isHeld = false;
    }
    return { isHeld, disabled: this.#disabled, returned: this.#returned };
  }

  /** @throws LeaseLostError */
  async #fenced<T>(run: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
    return this.#deps.db.transaction().execute(async (trx) => {
      if (!(await holdLease(trx, this.#lease))) throw new LeaseLostError('the lease is lost');
      return run(trx);
    });
  }

  /** Says that our network fails, or that it is well again. */
  async #judgeNetwork(ids: readonly string[]): Promise<void> {
    const before = await readNetworkBefore(this.#deps.db, ids, this.#nowMs);
    this.#isOurNetwork = before.wasOpenLately;
    if (!before.mustCount) return;
    await this.#fenced(async (trx) => {
      const pulse = await readPulse(trx, this.#nowMs);
      const message = networkSentence(pulse);
      if (isOurNetwork(pulse))
        await reportProblem(trx, { ...networkProblem, severity: 'RED', message }, this.#nowMs);
      else await closeProblem(trx, networkProblem, this.#nowMs);
    });
    // A problem that was closed just now counts as closed lately.
    const after = await readNetworkBefore(this.#deps.db, [], this.#nowMs);
    this.#isOurNetwork = after.mustCount || after.wasOpenLately;
  }

  #judged({ state, ...gateway }: GatewayToJudge): JudgedGateway {
    const now = {
      nowMs: this.#nowMs,
      isOurNetwork: this.#isOurNetwork,
      limits: this.#deps.limits,
    };
    return judgeGateway({ ...gateway, facts: factsOf(state) }, now);
  }

  /** Judges alerts. @returns the gateways that must be switched off or come back: each needs a transaction of its own. */
  async #judge(ids: readonly string[]): Promise<string[]> {
    return this.#fenced(async (trx) => {
      const changing: string[] = [];
      for (const gateway of await lockToJudge(trx, ids, this.#nowMs)) {
        const judged = this.#judged(gateway);
        if (judged.change === null) await this.#writeAlerts(trx, gateway, judged);
        else changing.push(gateway.id);
      }
      return changing;
    });
  }

  /** Switches a gateway off or brings it back. Alone in its transaction: it holds the row that the walker's batches write. */
  async #change(id: string): Promise<void> {
    const judged = await this.#fenced(async (trx) => {
      const [gateway] = await lockToJudge(trx, [id], this.#nowMs);
      if (gateway === undefined) return null;
      const judgedNow = this.#judged(gateway);
      const { change, facts } = judgedNow;
      if (change === null) return null;
      const disabledAtMs = change === 'DISABLE' ? this.#nowMs : null;
      await setDisabled(trx, [id], { disabledAtMs, nowMs: this.#nowMs });
      await writeStanding(trx, id, facts);
      const decision = decisionOf(change, id, factsOf(gateway.state), facts);
      await recordDecisions(trx, [decision], by, new Date(this.#nowMs));
      await this.#writeAlerts(trx, gateway, judgedNow);
      return judgedNow;
    });
    if (judged === null) return;
    const { change, facts } = judged;
    if (change === 'DISABLE') {
      this.#disabled.push(id);
      const fields = { gateway: id, reason: facts.lastFailure?.reason };
      this.#deps.log.warn(fields, 'a gateway was switched off after its failures');
    } else {
      this.#returned.push(id);
      this.#deps.log.info({ gateway: id }, 'a gateway answers its probes and is polled again');
    }
  }

  async #writeAlerts(
    trx: Transaction<Database>,
    { id, active }: GatewayToJudge,
    { alerts }: JudgedGateway,
  ): Promise<void> {
    await applyAlertChanges(trx, gatewaySubject(id), alerts, { active, nowMs: this.#nowMs });
  }
}

function decisionOf(
  kind: GatewayChange,
  id: string,
  before: GatewayFacts,
  after: GatewayFacts,
): Decision {
  const subject = { subjectType: 'GATEWAY', subjectId: id } as const;
  const { consecutiveFailures, failingSinceMs, lastFailure } = before;
  const failures = {
    consecutive_failures: consecutiveFailures,
    failing_since: failingSinceMs === null ? null : new Date(failingSinceMs).toISOString(),
    last_failure: lastFailure,
  };
  return kind === 'DISABLE'
    ? {
        action: 'gateway.disable',
        ...subject,
        before: { status: before.standing.status },
        after: { status: after.standing.status, ...failures },
      }
    : {
        action: 'gateway.return',
        ...subject,
        before: { status: 'DISABLED', ...failures },
        after: { status: after.standing.status, good_probes: before.goodProbes },
      };
}
