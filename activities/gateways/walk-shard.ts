import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';

import {
  type HeldLease,
  listShards,
  listWorkers,
  releaseLease,
  removeWorker,
  sayWorkerLives,
  takeLease,
  wantLease,
} from '../../db/gateways/leases.ts';
import { isServiceError } from '../../db/service-error.ts';
import type { Database } from '../../db/tables.ts';
import type { ActivityLog } from '../deps.ts';
import type { WalkShardArgs, WalkShardResult } from './contract.ts';
import { leaseTtlMs } from './walk/guard.ts';
import type { WalkEnd } from './walk/shard-walk.ts';
import type { Walk } from './walk/shards.ts';
import type { Walker } from './walk/walker.ts';

/**
 * Who walks which shard: Temporal starts an attempt, the attempt takes the lease, and the walk goes on in this process until
 * the lease is lost or given up, also while Temporal is away.
 */

/** A worker that said nothing for so long takes no part in sharing. */
const workerLivesMs = 5_000;
const sayMs = 1_000;
/** A worker with more than its share hands over one shard each so often. */
const shareMs = 5_000;
/** How often a waiting attempt looks whether it gets the lease. */
const lookMs = 200;
const heartbeatMs = 1_000;
/** When the next attempt begins: at once, where another worker has room; soon, where this one cannot. */
const atOnce = '1ms';
const soon = '200ms';

export interface ShardsOptions {
  db: Kysely<Database>;
  walker: Walker;
  log: ActivityLog;
  /** This process, as the leases name it, and as people know it. */
  owner: string;
  worker: string;
  host: string;
  pid: number;
  /** How many shards there are. */
  shards: number;
  /** Whether the process of an owner is known to have ended; false where this host cannot know. */
  isDead: (owner: string) => boolean;
  /** Ends the attempt that a dead worker of this host left behind, so that the next one begins at once. */
  failAttempt: (shard: number, pid: number) => Promise<void>;
}

/** The part of an activity's context that an attempt needs. */
export interface Attempt {
  heartbeat(details: object): void;
  /** Aborted when Temporal ends the attempt, or believes that it has ended. */
  signal: AbortSignal;
  /** Whether somebody wants it to end; false: Temporal only cannot see it any more. Known once the signal is aborted. */
  isUnwanted(): boolean;
}

export interface Shards {
  walkShard(args: WalkShardArgs): Promise<WalkShardResult>;
  /** Gives up all shards: for a worker that stops. Resolves when others may walk them. */
  leave(): Promise<void>;
  /** How many shards are walked here. */
  count(): number;
}

interface Running {
  walk: Walk;
  /** Resolves when the lease is released. */
  finished: Promise<WalkEnd>;
  /** The newest attempt that stands behind the walk. */
  attempt: Attempt | null;
}

/** The attempt of the running activity. */
export function activityAttempt(): Attempt {
  const context = Context.current();
  return {
    heartbeat: (details) => context.heartbeat(details),
    signal: context.cancellationSignal,
    isUnwanted() {
      const details = context.cancellationDetails;
      return (
        details === undefined ||
        details.cancelRequested ||
        details.paused ||
        details.reset ||
        details.workerShutdown
      );
    },
  };
}

export function createShards(
  options: ShardsOptions,
  attemptOf: () => Attempt = activityAttempt,
): Shards {
  const shards = new ProcessShards(options);
  return {
    walkShard: (args) => shards.walkShard(args, attemptOf()),
    leave: () => shards.leave(),
    count: () => shards.count(),
  };
}

class ProcessShards {
  readonly #options: ShardsOptions;
  readonly #running = new Map<number, Running>();
  /** Attempts that wait for a lease. */
  readonly #taking = new Set<number>();
  readonly #timers: NodeJS.Timeout[];
  #isLeaving = false;
  #left: Promise<void> | null = null;
  #isSaying = false;

  constructor(options: ShardsOptions) {
    this.#options = options;
    void this.#say();
    this.#timers = [
      setInterval(() => void this.#say(), sayMs),
      setInterval(() => void this.#share(), shareMs),
    ];
  }

  count(): number {
    return this.#running.size;
  }

  async walkShard({ shard, shards }: WalkShardArgs, attempt: Attempt): Promise<WalkShardResult> {
    if (shards !== this.#options.shards) return { ended: 'SHARDS_CHANGED' };
    const running = this.#running.get(shard) ?? (await this.#begin({ shard, shards }, attempt));
    running.attempt = attempt;
    running.walk.attend(true);
    return this.#attend(running, attempt);
  }

  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    this.#isLeaving = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(
      [...this.#running.values()].map(async ({ walk, finished }) => {
        await walk.end('LEAVING');
        await finished;
      }),
    );
    await removeWorker(this.#options.db, this.#options.owner).catch(() => {
      // Its row is forgotten by itself.
    });
  }

  /** Takes the lease of a shard and begins to walk it. */
  async #begin(place: WalkShardArgs, attempt: Attempt): Promise<Running> {
    const { shard } = place;
    if (this.#isLeaving) throw again('this worker stops', soon);
    if (await this.#isFull()) throw again('this worker has its share of the shards', soon);
    this.#taking.add(shard);
    try {
      const epoch = await this.#take(shard, attempt);
      const walk = this.#options.walker.walk(place, epoch);
      const running: Running = {
        walk,
        attempt: null,
        finished: walk.ended.then(async (why) => {
          this.#running.delete(shard);
          await this.#release(shard, epoch);
          this.#options.log.info({ shard, why }, 'a shard of the gateways is walked here no more');
          return why;
        }),
      };
      this.#running.set(shard, running);
      this.#options.log.info({ shard, epoch }, 'a shard of the gateways is walked here');
      return running;
    } finally {
      this.#taking.delete(shard);
    }
  }

  /** Waits for the lease; its holder gives it up when it hears that it is wanted. @returns its epoch. */
  async #take(shard: number, attempt: Attempt): Promise<number> {
    const { db, owner, worker, isDead } = this.#options;
    // A lease of this process that nobody here walks is left over.
    const deadOwners = [owner];
    for (;;) {
      let by: HeldLease | null = null;
      try {
        const taken = await takeLease(db, { shard, owner, worker, ttlMs: leaseTtlMs, deadOwners });
        if (taken.kind === 'TAKEN') return taken.epoch;
        ({ by } = taken);
        if (isDead(by.owner) && !deadOwners.includes(by.owner)) {
          deadOwners.push(by.owner);
          continue;
        }
        await wantLease(db, { shard, by: owner });
      } catch (error) {
        if (!isServiceError(error)) throw error;
      }
      attempt.heartbeat({ waits_for: by?.worker ?? by?.owner ?? 'PostgreSQL' });
      await pause(lookMs, attempt.signal);
      if (attempt.signal.aborted) throw new CancelledFailure('the attempt ended before it began');
      if (this.#isLeaving) throw again('this worker stops', soon);
    }
  }

  async #release(shard: number, epoch: number): Promise<void> {
    const { db, owner } = this.#options;
    await releaseLease(db, { shard, epoch, owner }).catch(() => {
      // It ends by itself.
    });
  }

  /** Stands behind a walk until it ends, or until Temporal ends the attempt. */
  async #attend(running: Running, attempt: Attempt): Promise<WalkShardResult> {
    const { walk, finished } = running;
    const beat = () => attempt.heartbeat(walk.figures());
    beat();
    const beats = setInterval(beat, heartbeatMs);
    try {
      const why = await Promise.race([finished, aborted(attempt.signal)]);
      if (why !== 'ABORTED') return outcomeOf(why);
      if (attempt.isUnwanted() && running.attempt === attempt) {
        await walk.end('CANCELLED');
        await finished;
      } else if (running.attempt === attempt) {
        // Temporal does not see the attempt: it is away, or was. The walk goes on, and its next attempt adopts it.
        running.attempt = null;
        walk.attend(false);
      }
      throw new CancelledFailure('the attempt ended');
    } finally {
      clearInterval(beats);
    }
  }

  /** Says that this worker lives, and takes the shards of workers of this host that died. */
  async #say(): Promise<void> {
    if (this.#isSaying || this.#isLeaving) return;
    this.#isSaying = true;
    const { db, owner, host, pid } = this.#options;
    try {
      await sayWorkerLives(db, { owner, host, pid });
      await this.#buryDead();
    } catch (error) {
      if (!isServiceError(error))
        this.#options.log.error({ error: String(error) }, 'a worker of gateways met an error');
    } finally {
      this.#isSaying = false;
    }
  }

  async #buryDead(): Promise<void> {
    const { db, owner, isDead, failAttempt, log } = this.#options;
    for (const shard of await listShards(db)) {
      if (shard.owner === null || shard.owner === owner || !isDead(shard.owner)) continue;
      await releaseLease(db, { ...shard, owner: shard.owner });
      await removeWorker(db, shard.owner);
      log.info({ shard: shard.shard }, 'the worker that walked a shard died: its lease is free');
      await failAttempt(shard.shard, pidOf(shard.owner)).catch((error: unknown) => {
        log.warn({ error: String(error) }, 'the attempt of a dead worker waits for its time-out');
      });
    }
  }

  /** Hands over a shard when others could walk it. */
  async #share(): Promise<void> {
    try {
      const { share, isElsewhere } = await this.#shares();
      if (this.#running.size <= share || !isElsewhere) return;
      const [, newest] = [...this.#running].at(-1) ?? [];
      if (newest !== undefined) await newest.walk.end('HANDED_OVER');
    } catch (error) {
      if (!isServiceError(error))
        this.#options.log.error({ error: String(error) }, 'the shards could not be shared');
    }
  }

  async #isFull(): Promise<boolean> {
    try {
      const { share, isElsewhere } = await this.#shares();
      return this.#running.size + this.#taking.size >= share && isElsewhere;
    } catch (error) {
      if (!isServiceError(error)) throw error;
      return false;
    }
  }

  /** What is this worker's share, and whether another live worker has less than its own. */
  async #shares(): Promise<{ share: number; isElsewhere: boolean }> {
    const { db, owner, shards } = this.#options;
    const workers = await listWorkers(db, workerLivesMs);
    const others = workers.filter((one) => one.owner !== owner);
    const share = Math.ceil(shards / (others.length + 1));
    if (others.length === 0) return { share, isElsewhere: false };
    const held = await listShards(db);
    const isElsewhere = others.some(
      (one) =>
        held.filter(({ owner: by, endsInMs }) => by === one.owner && endsInMs > 0).length < share,
    );
    return { share, isElsewhere };
  }
}

function outcomeOf(why: WalkEnd): WalkShardResult {
  switch (why) {
    case 'EMPTY':
      return { ended: 'EMPTY' };
    case 'LEAVING':
    case 'HANDED_OVER':
      throw again('another worker goes on', atOnce);
    case 'CANCELLED':
      throw new CancelledFailure('the walk was ended');
    case 'LOST':
    case 'WANTED':
    case 'ALONE':
      throw again(`the walk ended: ${why}`, soon);
  }
}

/** The number of the process in an owner's name. */
function pidOf(owner: string): number {
  return Number(owner.split('/').at(-2));
}

/** Ends the attempt so that the next one begins after a while. */
function again(message: string, nextRetryDelay: '1ms' | '200ms'): ApplicationFailure {
  return ApplicationFailure.create({
    message,
    type: 'NEXT_ATTEMPT',
    nextRetryDelay,
    category: 'BENIGN',
  });
}

function aborted(signal: AbortSignal): Promise<'ABORTED'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('ABORTED');
    else signal.addEventListener('abort', () => resolve('ABORTED'), { once: true });
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
  });
}
