import { deadlineOf, dueSlots, lastOf, withoutLast } from '../../../domain/gateways/due.ts';
import type { ReadingRow } from '../../../db/gateways/write-batch.ts';
import { isLate } from '../../../domain/slots.ts';
import type { Gateway } from './gateway.ts';
import type { Guard } from './guard.ts';
import type { Judging } from './judging.ts';
import { type Polled, pollGateway, type PollWish } from './poll.ts';
import type { WalkPorts } from './ports.ts';
import type { Rows } from './rows.ts';
import type { ShardWalk } from './shard-walk.ts';
import { ranks } from './site.ts';
import type { Timers } from './timers.ts';
import { createWheel } from './wheel.ts';
import { missedReading } from './writer.ts';

/** Which slot is due when, and what is done in it. One timer serves the slots of all shards. */

/** While nothing may be sent, the slots are looked at again so often. */
const waitMs = 50;
/** The timer wakes at least so often, so that a step of the wall clock is noticed. */
const wakeMsMax = 1_000;
/** So many polls begin before other events have their turn. */
const startsPerTurn = 64;
/** Locks are asked for so long before the slot. */
const lockAheadMs = 250;
/** Locks are asked for so often, in one call for all slots until the next one. */
export const lockGatherMs = 100;
/** Longest for a poll that a person asks for, and for a probe. */
const freePollMsMax = 10_000;

interface TakenSlot {
  trigger: 'SCHEDULE' | 'CATCH_UP';
  slotMs: number;
  deadlineMs: number;
}

export interface SlotsOptions {
  ports: WalkPorts;
  guard: Guard;
  rows: Rows;
  judging: Judging;
  timers: Timers;
}

export class Slots {
  readonly #ports: WalkPorts;
  readonly #guard: Guard;
  readonly #rows: Rows;
  readonly #judging: Judging;
  readonly #timers: Timers;
  readonly #wheel = createWheel<Gateway>();
  readonly #lockWheel = createWheel<Gateway>();
  readonly #walkOf = new WeakMap<Gateway, ShardWalk>();
  readonly #ready: Gateway[][] = [[], [], []];
  #armedForMs = Infinity;
  #isPumping = false;

  constructor({ ports, guard, rows, judging, timers }: SlotsOptions) {
    this.#ports = ports;
    this.#guard = guard;
    this.#rows = rows;
    this.#judging = judging;
    this.#timers = timers;
  }

  /** Says which walk a gateway belongs to. */
  put(gateway: Gateway, walk: ShardWalk): void {
    this.#walkOf.set(gateway, walk);
  }

  /** Nothing of the gateway is due any more. */
  remove(gateway: Gateway): void {
    this.#wheel.delete(gateway);
    this.#lockWheel.delete(gateway);
  }

  /** Sets the timer for the next slot. */
  #arm(): void {
    const nextMs = this.#wheel.nextMs();
    if (nextMs === null || nextMs >= this.#armedForMs) return;
    this.#timers.cancel('tick');
    this.#armedForMs = nextMs;
    const sleepMs = Math.min(wakeMsMax, Math.max(1, nextMs - this.#ports.clock.now()));
    this.#timers.once('tick', sleepMs, () => this.#tick());
  }

  #tick(): void {
    this.#armedForMs = Infinity;
    if (!this.#guard.maySend()) {
      this.#timers.once('tick', waitMs, () => this.#tick());
      return;
    }
    for (const gateway of this.#wheel.take(this.#ports.clock.now())) this.#queue(gateway);
    this.#arm();
    if (!this.#isPumping) this.#pump();
  }

  #queue(gateway: Gateway): void {
    gateway.openMs = gateway.nextMs(this.#ports.clock.now());
    this.#ready[ranks[gateway.loaded.priority] - 1]?.push(gateway);
  }

  /** Begins polls that are due, HIGH first, a few at a time. */
  #pump(): void {
    this.#isPumping = false;
    for (let starts = 0; starts < startsPerTurn; starts += 1) {
      const gateway = this.#ready.find((queue) => queue.length > 0)?.shift();
      if (gateway === undefined) return;
      gateway.site.take(() => this.#turn(gateway), ranks[gateway.loaded.priority]);
    }
    this.#isPumping = true;
    this.#ports.clock.after(0, () => this.#pump());
  }

  /** Sets a gateway for its next slot, after a slot or a change. */
  rearm(gateway: Gateway): void {
    gateway.openMs = null;
    if (gateway.isGone) return;
    const nextMs = gateway.nextMs(this.#ports.clock.now());
    if (nextMs === null) {
      this.remove(gateway);
      return;
    }
    this.#wheel.set(gateway, nextMs);
    this.#lockWheel.set(gateway, nextMs - lockAheadMs);
    this.#arm();
  }

  /** What a gateway does when its turn on the socket comes; null: nothing. */
  #turn(gateway: Gateway): Promise<void> | null {
    const walk = this.#walkOf.get(gateway);
    if (walk === undefined || walk.isEnding || gateway.isGone) {
      gateway.openMs = null;
      return null;
    }
    const nowMs = this.#ports.clock.now();
    if (!this.#guard.maySend()) {
      gateway.openMs = null;
      this.#wheel.set(gateway, nowMs);
      this.#arm();
      return null;
    }
    const wish = this.#wishOf(walk, gateway, nowMs);
    if (wish === null) {
      this.rearm(gateway);
      return null;
    }
    return this.#take(walk, gateway, wish);
  }

  /** Polls a gateway in its turn, and adds the row. */
  async #take(walk: ShardWalk, gateway: Gateway, wish: PollWish): Promise<void> {
    const polled = await this.course(walk, gateway, wish);
    if (polled !== null) this.#rows.record(walk, gateway, { ...wish, ...polled });
    else if (!walk.isEnding) this.#rows.cutOff(walk, gateway, wish);
    this.rearm(gateway);
  }

  #wishOf(walk: ShardWalk, gateway: Gateway, nowMs: number): PollWish | null {
    const { signal } = walk.cut;
    const { intervalMs, reason } = gateway.loaded.period;
    const freeMs = Math.min(intervalMs * 0.8, freePollMsMax);
    if (reason === 'DISABLED') {
      const probeAtMs = gateway.facts.nextProbeAtMs;
      if (probeAtMs === null || probeAtMs > nowMs) return null;
      return { trigger: 'PROBE', slotMs: null, deadlineMs: freeMs, signal };
    }
    const slot = this.#takeSlots(walk, gateway, nowMs);
    if (slot === null) {
      if (!gateway.isNew) return null;
      gateway.isNew = false;
      return { trigger: 'START', slotMs: null, deadlineMs: freeMs, signal };
    }
    gateway.isNew = false;
    if (this.#ports.locks.isTaken(gateway.id)) {
      this.#rows.record(walk, gateway, { ...slot, reading: skipped(slot.slotMs) });
      return null;
    }
    return { ...slot, signal };
  }

  /** Takes the newest due slot, and writes off the older ones. */
  #takeSlots(walk: ShardWalk, gateway: Gateway, nowMs: number): TakenSlot | null {
    let taken: TakenSlot | null = null;
    for (const span of gateway.spans) {
      const run = dueSlots(span, nowMs);
      if (run === null) continue;
      const slotMs = lastOf(run);
      span.doneMs = slotMs;
      const deadlineMs = span.toMs === null ? deadlineOf(span.grid, slotMs, nowMs) : null;
      const missed = deadlineMs === null ? run : withoutLast(run);
      if (missed !== null) this.#rows.miss(walk, gateway, missed);
      if (deadlineMs === null) continue;
      const trigger = isLate(span.grid, slotMs, nowMs) ? 'CATCH_UP' : 'SCHEDULE';
      taken = { trigger, slotMs, deadlineMs };
    }
    gateway.tidy();
    return taken;
  }

  /** One poll, in a slot or for a person: counted and judged. Never rejects. @returns null if it was cut off. */
  async course(walk: ShardWalk, gateway: Gateway, wish: PollWish): Promise<Polled | null> {
    const before = gateway.facts;
    const work = pollGateway(this.#ports, gateway, wish);
    const settled = work.then(noted, noted);
    walk.inFlight.add(settled);
    try {
      const polled = await work;
      if (polled === null) return null;
      const { reading } = polled;
      walk.figures.polled(reading.measuredAtMs ?? 0, reading.lateMs);
      this.#ports.meter.polled(reading);
      this.#judging.after(walk, gateway, before);
      // A poll that a person asked for may bring the next probe forward.
      if (gateway.openMs === null) this.rearm(gateway);
      return polled;
    } catch (error) {
      this.#ports.log.error(
        { gatewayId: gateway.id, error: error instanceof Error ? error.stack : String(error) },
        'a poll met an error of ours',
      );
      return null;
    } finally {
      walk.inFlight.delete(settled);
    }
  }

  /** Asks for the locks of the slots of the next `lockGatherMs`. */
  askLocks(): void {
    const due = this.#lockWheel.take(this.#ports.clock.now() + lockGatherMs);
    if (due.length === 0) return;
    this.#ports.locks.ask(
      due.map(({ id, loaded }) => ({ gatewayId: id, ttlMs: 2 * loaded.period.intervalMs })),
    );
  }
}

const noted = (): void => {};

function skipped(slotMs: number): ReadingRow {
  return {
    ...missedReading({ firstMs: slotMs, count: 0, intervalMs: 0 }, 'LOCKED'),
    outcome: 'SKIPPED_LOCKED',
  };
}
