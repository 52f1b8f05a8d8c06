import type { Lease, Renewed } from '../../../db/gateways/leases.ts';
import type { ShardPlace } from '../../../db/gateways/walk.ts';
import type { Guard } from './guard.ts';
import type { Timer, WalkFigures, WalkPorts } from './ports.ts';
import { ShardWalk, type WalkEnd } from './shard-walk.ts';
import type { Slots } from './slots.ts';
import type { Timers } from './timers.ts';
import type { Writer } from './writer.ts';

/** The shards that a process walks: how each begins, what keeps its lease, and why it ends. */

/** A walk that leaves gives what is in flight so long, and its rows so long to be written. */
const leaveMs = 1_000;
const drainMs = 3_000;
/** A walk with neither PostgreSQL nor Temporal ends after so long; one without gateways, too. */
const aloneMs = 60_000;
const emptyMs = 60_000;

export interface Walk {
  readonly shard: number;
  readonly ended: Promise<WalkEnd>;
  /** Ends the walk: gracefully, unless the lease is lost. Resolves when it has ended. */
  end(why: WalkEnd): Promise<WalkEnd>;
  /** Says whether an attempt of Temporal's stands behind the walk. */
  attend(isAttended: boolean): void;
  figures(): WalkFigures;
}

export interface ShardsOptions {
  ports: WalkPorts;
  guard: Guard;
  writer: Writer;
  slots: Slots;
  timers: Timers;
  /** Called with each walk that begins, to read its gateways. */
  begun: (walk: ShardWalk) => void;
}

export class Shards {
  readonly #ports: WalkPorts;
  readonly #guard: Guard;
  readonly #writer: Writer;
  readonly #slots: Slots;
  readonly #timers: Timers;
  readonly #begun: ShardsOptions['begun'];
  readonly #walks = new Map<number, ShardWalk>();
  #isRenewing = false;

  constructor({ ports, guard, writer, slots, timers, begun }: ShardsOptions) {
    this.#ports = ports;
    this.#guard = guard;
    this.#writer = writer;
    this.#slots = slots;
    this.#timers = timers;
    this.#begun = begun;
  }

  /** The walks, also those that are ending. */
  list(): readonly ShardWalk[] {
    return [...this.#walks.values()];
  }

  /** Begins to walk a shard whose lease was just taken. */
  walk(place: ShardPlace, epoch: number): Walk {
    const walk = new ShardWalk(this.#ports, place, epoch);
    this.#walks.set(place.shard, walk);
    this.#guard.taken();
    this.#begun(walk);
    return {
      shard: place.shard,
      ended: walk.ended,
      end: (why) => this.#end(walk, why),
      attend: (isAttended) => {
        walk.unattendedSinceMs = isAttended ? null : this.#ports.clock.elapsed();
      },
      figures: () => this.#figures(walk),
    };
  }

  /** The leases of all walks. */
  leases(): Lease[] {
    return this.list().map(({ lease }) => lease);
  }

  /** Notes that the process runs. After it stood still, what is in flight is cut, and the leases are read. */
  pulse(): void {
    this.#guard.pulse();
    if (this.#guard.isFrozen) {
      this.#cutAll();
      void this.renew();
    }
  }

  /** Renews all leases, and reads whether an emergency stop is in force. */
  async renew(): Promise<void> {
    if (this.#isRenewing || this.#timers.isClosed || this.#walks.size === 0) return;
    this.#isRenewing = true;
    const sentAtMs = this.#ports.clock.elapsed();
    const asked = this.list().map((walk) => ({
      ...walk.lease,
      figures: this.#figures(walk),
    }));
    try {
      const { held, isHalted } = await this.#ports.store.renew(asked);
      const wasHalted = this.#guard.isHalted;
      this.#guard.renewed(sentAtMs, isHalted);
      if (isHalted && !wasHalted) this.#cutAll();
      this.renewed(asked, held);
    } catch {
      // The rows that wait say so, once.
    } finally {
      this.#isRenewing = false;
    }
    this.#endLonely();
  }

  /** Ends the walks whose leases are lost, or wanted by another attempt. */
  renewed(asked: readonly Lease[], held: readonly Renewed[]): void {
    for (const { shard, epoch } of asked) {
      const walk = this.#walks.get(shard);
      if (walk === undefined || walk.epoch !== epoch) continue;
      const answer = held.find((one) => one.shard === shard);
      if (answer === undefined) void this.#end(walk, 'LOST');
      else if (answer.wantedBy !== null) void this.#end(walk, 'WANTED');
    }
  }

  /** Ends what is in flight of all walks; they go on. */
  #cutAll(): void {
    for (const walk of this.#walks.values()) {
      walk.cut.abort();
      walk.cut = new AbortController();
    }
  }

  #endLonely(): void {
    const nowMs = this.#ports.clock.elapsed();
    for (const walk of this.#walks.values()) {
      const { unattendedSinceMs: since } = walk;
      const isAlone = since !== null && nowMs - since >= aloneMs;
      if (isAlone && this.#guard.databaseSilentMs >= aloneMs) void this.#end(walk, 'ALONE');
      if (!walk.isLoaded || walk.gateways.size > 0) walk.emptySinceMs = null;
      else walk.emptySinceMs ??= nowMs;
      if (walk.emptySinceMs !== null && nowMs - walk.emptySinceMs >= emptyMs)
        void this.#end(walk, 'EMPTY');
    }
  }

  async #end(walk: ShardWalk, why: WalkEnd): Promise<WalkEnd> {
    const isGraceful = why !== 'LOST' && why !== 'ALONE';
    if (!isGraceful) {
      walk.cut.abort();
      this.#writer.drop(walk.place.shard);
    }
    if (walk.isEnding) return walk.ended;
    walk.isEnding = true;
    for (const gateway of walk.gateways.values()) this.#slots.remove(gateway);
    const { clock } = this.#ports;
    if (isGraceful) await within(clock, leaveMs, walk.inFlight);
    walk.cut.abort();
    walk.closeSites();
    await within(clock, leaveMs, walk.inFlight);
    if (isGraceful) await this.#writer.drained(walk.place.shard, drainMs);
    this.#writer.drop(walk.place.shard);
    if (this.#walks.get(walk.place.shard) === walk) this.#walks.delete(walk.place.shard);
    walk.settle(why);
    return why;
  }

  #figures(walk: ShardWalk): WalkFigures {
    const nowMs = this.#ports.clock.now();
    const { rows, oldestMs } = this.#writer.waiting(walk.place.shard);
    let openMs = oldestMs ?? Infinity;
    for (const gateway of walk.gateways.values())
      if (gateway.openMs !== null) openMs = Math.min(openMs, gateway.openMs);
    return {
      gateways: walk.gateways.size,
      ...walk.figures.read(nowMs),
      oldest_slot_s: Math.max(0, Math.round((nowMs - Math.min(nowMs, openMs)) / 100) / 10),
      rows_buffered: rows,
    };
  }
}

/** Waits for all of these, at the longest for `ms`. */
async function within(
  clock: WalkPorts['clock'],
  ms: number,
  works: ReadonlySet<Promise<void>>,
): Promise<void> {
  if (works.size === 0) return;
  let timer: Timer | null = null;
  const isOver = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve);
  });
  await Promise.race([isOver, Promise.all(works)]);
  (timer as Timer | null)?.cancel();
}
