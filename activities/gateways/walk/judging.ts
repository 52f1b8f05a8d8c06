import { needsEvaluation } from '../../../domain/gateways/evaluation.ts';
import type { GatewayFacts } from '../../../domain/gateways/facts.ts';
import type { Gateway } from './gateway.ts';
import { withStanding } from './poll.ts';
import type { WalkPorts } from './ports.ts';
import type { ShardWalk } from './shard-walk.ts';
import type { Writer } from './writer.ts';

/** Which gateways are judged, and when: those that a poll changed, once its row is written, and those that time changed. */

export interface JudgingOptions {
  ports: Pick<WalkPorts, 'clock' | 'store' | 'log' | 'limits'>;
  writer: Writer;
  walks: () => readonly ShardWalk[];
}

export class Judging {
  readonly #ports: JudgingOptions['ports'];
  readonly #writer: Writer;
  readonly #walks: JudgingOptions['walks'];

  constructor({ ports, writer, walks }: JudgingOptions) {
    this.#ports = ports;
    this.#writer = writer;
    this.#walks = walks;
  }

  /** Notes a gateway whose alerts may have changed with its newest poll. @param before its facts before it. */
  after(walk: ShardWalk, gateway: Gateway, before: GatewayFacts): void {
    const { facts, plan, id } = gateway;
    if (needsEvaluation(before, facts, plan, this.#ports.limits)) walk.toEvaluate.add(id);
  }

  /** Judges what time alone changes. */
  sweep(): void {
    const nowMs = this.#ports.clock.now();
    for (const walk of this.#walks()) {
      if (walk.isEnding) continue;
      for (const gateway of walk.gateways.values()) {
        const before = gateway.facts;
        const after = withStanding(gateway, before, nowMs);
        const { status, reason, message } = before.standing;
        const { standing } = after;
        if (
          standing.status === status &&
          standing.reason === reason &&
          standing.message === message
        )
          continue;
        gateway.facts = after;
        this.after(walk, gateway, before);
        this.#writer.add({
          shard: walk.place.shard,
          gatewayId: gateway.id,
          reading: null,
          texts: [],
          state: gateway.state(),
          intervalMs: null,
        });
      }
      void this.evaluate(walk);
    }
  }

  /** Judges the gateways that are noted; what comes meanwhile is judged with the next call. */
  async evaluate(walk: ShardWalk): Promise<void> {
    if (walk.isEvaluating || walk.isEnding) return;
    walk.isEvaluating = true;
    const ids = [...walk.toEvaluate];
    walk.toEvaluate.clear();
    try {
      await this.#ports.store.evaluate(walk.lease, ids, this.#ports.clock.now());
    } catch (error) {
      // The next sweep tries again.
      for (const id of ids) walk.toEvaluate.add(id);
      this.#ports.log.warn({ error: String(error) }, 'alerts of gateways could not be judged');
    } finally {
      walk.isEvaluating = false;
    }
  }
}
