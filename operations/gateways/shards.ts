import { readGatewayPulse, type GatewayPulse } from '../../db/gateways/diagnosis.ts';
import {
  listShards,
  listWorkers,
  type ShardRow,
  type WorkerRow,
} from '../../db/gateways/leases.ts';
import { counted, durationText } from '../../domain/wording.ts';
import { type Component, type Fact, type Judgement, type Services, valueOf } from '../diagnosis.ts';
import { isOwnerDead } from '../process-owner.ts';

/** Who walks which shard of gateways: facts and components of the diagnosis. */

/** As many shards as there are unless configured. */
const shardsDefault = 4;
/** A worker says every second that it lives. */
const workerHeardWithinMs = 15_000;

export function shardCount({ gatewayShards }: Pick<Services, 'gatewayShards'>): number {
  return gatewayShards ?? shardsDefault;
}

export const gatewayPulse: Fact<GatewayPulse> = (services) =>
  readGatewayPulse(services.db, services.clock(), shardCount(services));

export const gatewayWorkers: Fact<WorkerRow[]> = ({ db }) => listWorkers(db, workerHeardWithinMs);

/**
 * WALKED: a living walker polls its gateways. DEAD_OWNER: its lease belongs to a process that has ended. STUCK: its lease is
 * held, and its gateways have no new rows. FREE: nobody holds its lease. IDLE: no gateway of it is due.
 */
export type ShardState = 'WALKED' | 'DEAD_OWNER' | 'STUCK' | 'FREE' | 'IDLE';

export interface ShardView {
  shard: number;
  state: ShardState;
  /** Gateways that are due, and those of them that are not polled in time. */
  active: number;
  unpolled: number;
  /** The lease; null: nobody ever walked the shard. */
  lease: ShardRow | null;
}

export const shardViews: Fact<ShardView[]> = async (services, look) => {
  const { byShard } = valueOf(await look(gatewayPulse));
  const leases = await listShards(services.db);
  return Array.from({ length: shardCount(services) }, (_, shard) => {
    const { active = 0, unpolled = 0 } = byShard.find((one) => one.shard === shard) ?? {};
    const lease = leases.find((one) => one.shard === shard) ?? null;
    return { shard, active, unpolled, lease, state: stateOf(lease, active, unpolled) };
  });
};

function stateOf(lease: ShardRow | null, active: number, unpolled: number): ShardState {
  if (lease?.owner != null && isOwnerDead(lease.owner)) return 'DEAD_OWNER';
  if (active === 0) return 'IDLE';
  if (lease === null || lease.endsInMs === 0) return 'FREE';
  // A walker that works writes rows of most of its gateways, even if their devices do not answer.
  return unpolled * 2 > active ? 'STUCK' : 'WALKED';
}

/** What is wrong with a shard; null: nothing. */
export function judgeShard(view: ShardView, workers: number): Judgement | null {
  const { shard, state, active, lease } = view;
  const facts = { shard: String(shard), at: null };
  const wait = counted(active, 'gateway waits', 'gateways wait');
  const worker = lease?.worker ?? lease?.owner ?? '';
  if (state === 'DEAD_OWNER')
    return {
      state: 'degraded',
      kind: 'orphaned_lock',
      facts,
      sentence: `The lease of shard ${shard} belongs to ${worker}, whose process has ended; ${wait} for it.`,
      advice: 'It ends by itself within seconds; `heliograph diagnose --fix` frees it now.',
    };
  if (state === 'STUCK')
    return {
      state: 'degraded',
      kind: 'stuck_activity',
      facts,
      sentence: `${worker} holds shard ${shard}, and ${view.unpolled} of its ${counted(active, 'gateway')} have no new rows.`,
      advice:
        '`heliograph diagnose --fix` starts the shard anew; the log of its worker says what held it up.',
    };
  if (state !== 'FREE' || workers === 0) return null;
  const since = lease?.figuresAt ?? null;
  const last =
    since === null ? '' : ` since ${durationText(Math.max(0, Date.now() - since.getTime()))}`;
  return {
    state: 'degraded',
    kind: 'stuck_activity',
    facts,
    sentence: `Nobody has walked shard ${shard}${last}, and ${wait}, although ${counted(workers, 'worker lives', 'workers live')}.`,
    advice: `\`heliograph diagnose --fix\` starts it; see gateways:shard:${shard} in the Temporal Web UI.`,
  };
}

/** A shard as JSON. */
export function shardJson({ shard, state, active, unpolled, lease }: ShardView) {
  return {
    shard,
    state,
    gateways: active,
    not_polled: unpolled,
    worker: lease?.worker ?? null,
    owner: lease?.owner ?? null,
    epoch: lease?.epoch ?? 0,
    lease_ends_in_ms: lease?.endsInMs ?? 0,
    wanted_by: lease?.wantedBy ?? null,
    figures: lease?.figures ?? null,
    figures_at: lease?.figuresAt?.toISOString() ?? null,
  };
}

export const walkers: Component<{ workers: WorkerRow[]; active: number }> = {
  name: 'gateway workers',
  part: 'workers',
  async fact(_, look) {
    const { active } = valueOf(await look(gatewayPulse));
    return { workers: valueOf(await look(gatewayWorkers)), active };
  },
  judge({ workers, active }) {
    const details = { gateway_workers: workers.map(({ host, pid }) => `${pid}@${host}`) };
    if (workers.length === 0 && active > 0)
      return {
        state: 'degraded',
        kind: 'worker_absent',
        sentence: `No worker walks gateways, and ${counted(active, 'gateway waits', 'gateways wait')}.`,
        advice: 'Start `npm run worker:gateways`.',
        details,
      };
    const sentence =
      workers.length === 0
        ? 'No worker walks gateways, and none is needed.'
        : `${counted(workers.length, 'worker walks', 'workers walk')} gateways.`;
    return { state: 'ok', sentence, details };
  },
  away: {
    state: 'degraded',
    sentence: 'Who walks gateways is not known while PostgreSQL is away.',
  },
};

export const shards: Component<{ views: ShardView[]; workers: number }> = {
  name: 'shards',
  async fact(_, look) {
    const views = valueOf(await look(shardViews));
    return { views, workers: valueOf(await look(gatewayWorkers)).length };
  },
  judge({ views, workers }) {
    const details = { shards: views.map(shardJson) };
    const wrong = views.flatMap((view) => judgeShard(view, workers) ?? []);
    const [first] = wrong;
    if (first === undefined) {
      const walked = views.filter(({ state }) => state === 'WALKED').length;
      const needed = views.filter(({ state }) => state !== 'IDLE').length;
      const sentence =
        needed === 0
          ? 'No shard has a gateway that is due.'
          : `${walked} of ${counted(needed, 'shard')} with gateways ${walked === 1 ? 'is' : 'are'} walked.`;
      return { state: 'ok', sentence, details };
    }
    return {
      ...first,
      sentence: wrong.map(({ sentence }) => sentence).join(' '),
      details,
      subjects: wrong.map(({ kind = '', facts = {}, sentence }) => ({ kind, facts, sentence })),
    };
  },
  away: {
    state: 'degraded',
    sentence: 'Who walks which shard is not known while PostgreSQL is away.',
  },
};
