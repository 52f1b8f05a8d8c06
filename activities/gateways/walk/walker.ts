import type { Lease, Renewed } from '../../../db/gateways/leases.ts';
import type { ShardPlace } from '../../../db/gateways/walk.ts';
import type { ReadingRow } from '../../../db/gateways/write-batch.ts';
import { needsEvaluation } from '../../../domain/gateways/evaluation.ts';
import {
  byDay,
  cutAfter,
  deadlineOf,
  dueSlots,
  lastOf,
  type SlotRun,
  withoutLast,
} from '../../../domain/gateways/due.ts';
import type { GatewayFacts } from '../../../domain/gateways/facts.ts';
import { isLate } from '../../../domain/slots.ts';
import type { Gateway } from './gateway.ts';
import { Guard, pulseMs } from './guard.ts';
import { type Polled, pollGateway, type PollWish, withStanding } from './poll.ts';
import type { Timer, WalkFigures, WalkPorts } from './ports.ts';
import { Requests } from './requests.ts';
import { ShardWalk, type WalkEnd } from './shard-walk.ts';
import { ranks } from './site.ts';
import { createWheel } from './wheel.ts';
import type { MissedReason } from '../../../domain/gateways/reading.ts';
import { createWriter, missedReading, type Writer } from './writer.ts';

/**
 * The walker of a process: polls the gateways of all shards whose leases it holds. One timer serves all slots, one statement
 * writes the rows of all shards.
 */

/** Leases are renewed, and what people want is looked at, so often. */
const renewMs = 1_000;
/** How often the shard's gateways are compared with the tables, in case that a notice was lost. */
const lookMs = 5_000;
/** How often what time alone changes is judged. */
const sweepMs = 10_000;
/** Notices that come within so many ms are heard together. */
const gatherMs = 50;
/** The timer wakes at least so often, so that a step of the wall clock is noticed. */
const wakeMsMax = 1_000;
/** So many polls begin before other events have their turn. */
const startsPerTurn = 64;
/** Locks are asked for so long before the slot, in one call for all slots of the next `lockGatherMs`. */
const lockAheadMs = 250;
const lockGatherMs = 100;
/** A walk that leaves gives what is in flight so long, and its rows so long to be written. */
const leaveMs = 1_000;
const drainMs = 3_000;
/** Longest for a poll that a person asks for, and for a probe. */
const freePollMsMax = 10_000;
/** A walk with neither PostgreSQL nor Temporal ends after so long; one without gateways, too. */
const aloneMs = 60_000;
const emptyMs = 60_000;

export interface Walker {
  /** Begins to walk a shard whose lease was just taken. */
  walk(place: ShardPlace, epoch: number): Walk;
  /** The shards that are walked, and those that are being left. */
  shards(): readonly number[];
  /** A gateway changed; null: perhaps any. */
  hearGateway(id: string | null): void;
  /** Somebody asks for a poll or a read. */
  hearRequest(): void;
  /** An emergency stop began or ended. */
  hearHalt(): void;
  /** Whether anything may be sent now; the sockets ask before each request. */
  maySend(): boolean;
  /** Whether a socket to this address belongs to a walk. */
  uses(host: string, port: number): boolean;
  /** What is walked here, over all shards: for metrics. */
  totals(): { gateways: number; polling: number; rows: number };
  /** Gateways with the lowest share of good polls among their last ones, the worst first. */
  successRates(max: number): { id: string; share: number }[];
  close(): void;
}

export interface Walk {
  readonly shard: number;
  readonly ended: Promise<WalkEnd>;
  /** Ends the walk: gracefully, unless the lease is lost. Resolves when it has ended. */
  end(why: WalkEnd): Promise<WalkEnd>;
  /** Says whether an attempt of Temporal's stands behind the walk. */
  attend(isAttended: boolean): void;
  figures(): WalkFigures;
}

export function createWalker(ports: WalkPorts): Walker {
  return new ProcessWalker(ports);
}

interface TakenSlot {
  trigger: 'SCHEDULE' | 'CATCH_UP';
  slotMs: number;
  deadlineMs: number;
}

class ProcessWalker implements Walker {
  readonly #ports: WalkPorts;
  readonly #walks = new Map<number, ShardWalk>();
  readonly #wheel = createWheel<Gateway>();
  readonly #lockWheel = createWheel<Gateway>();
  readonly #walkOf = new WeakMap<Gateway, ShardWalk>();
  readonly #guard: Guard;
  readonly #writer: Writer;
  readonly #requests: Requests;
  readonly #timers = new Map<string, Timer>();
  readonly #ready: Gateway[][] = [[], [], []];
  readonly #heard = new Set<string>();
  #armedForMs = Infinity;
  #isPumping = false;
  #isRenewing = false;
  #isClosed = false;

  constructor(ports: WalkPorts) {
    this.#ports = ports;
    this.#guard = new Guard(ports.clock);
    this.#writer = createWriter({
      ports,
      leases: () => this.#leases(),
      onRenewed: (asked, held) => this.#renewed(asked, held),
    });
    this.#requests = new Requests({
      ports,
      guard: this.#guard,
      writer: this.#writer,
      walks: () => [...this.#walks.values()],
      poll: (walk, gateway, wish) => this.#course(walk, gateway, wish),
    });
    this.#repeat('pulse', pulseMs, () => this.#pulse());
    this.#repeat('renew', renewMs, () => void this.#renew());
    this.#repeat('look', lookMs, () => this.hearGateway(null));
    this.#repeat('sweep', sweepMs, () => this.#sweep());
    this.#repeat('locks', lockGatherMs, () => this.#askLocks());
  }

  walk(place: ShardPlace, epoch: number): Walk {
    const walk = new ShardWalk(this.#ports, place, epoch);
    this.#walks.set(place.shard, walk);
    this.#guard.taken();
    void this.#load(walk);
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

  shards(): readonly number[] {
    return [...this.#walks.keys()];
  }

  hearGateway(id: string | null): void {
    this.#heard.add(id ?? '');
    this.#once('heard', gatherMs, () => {
      const ids = this.#heard.has('') ? undefined : [...this.#heard];
      this.#heard.clear();
      for (const walk of this.#walks.values()) void this.#load(walk, ids);
      if (ids === undefined) this.#requests.hear();
    });
  }

  hearRequest(): void {
    this.#requests.hear();
  }

  hearHalt(): void {
    void this.#renew();
    this.hearGateway(null);
  }

  maySend(): boolean {
    return this.#guard.maySend();
  }

  uses(host: string, port: number): boolean {
    return [...this.#walks.values()].some((walk) => walk.uses({ host, port }));
  }

  totals(): { gateways: number; polling: number; rows: number } {
    const totals = { gateways: 0, polling: 0, rows: 0 };
    for (const walk of this.#walks.values()) {
      totals.gateways += walk.gateways.size;
      totals.polling += walk.inFlight.size;
      totals.rows += this.#writer.waiting(walk.place.shard).rows;
    }
    return totals;
  }

  successRates(max: number): { id: string; share: number }[] {
    const rates: { id: string; share: number }[] = [];
    for (const walk of this.#walks.values())
      for (const { id, facts } of walk.gateways.values()) {
        const { recent } = facts;
        const failed = recent.length - recent.replaceAll('F', '').length;
        if (recent !== '') rates.push({ id, share: 1 - failed / recent.length });
      }
    return rates.toSorted((a, b) => a.share - b.share || (a.id < b.id ? -1 : 1)).slice(0, max);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  // Timers

  #once(name: string, ms: number, run: () => void): void {
    if (this.#isClosed || this.#timers.has(name)) return;
    const timer = this.#ports.clock.after(ms, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, timer);
  }

  #repeat(name: string, ms: number, run: () => void): void {
    this.#once(name, ms, () => {
      this.#repeat(name, ms, run);
      run();
    });
  }

  /** Sets the timer for the next slot. */
  #arm(): void {
    const nextMs = this.#wheel.nextMs();
    if (nextMs === null || nextMs >= this.#armedForMs) return;
    this.#timers.get('tick')?.cancel();
    this.#timers.delete('tick');
    this.#armedForMs = nextMs;
    const waitMs = Math.min(wakeMsMax, Math.max(1, nextMs - this.#ports.clock.now()));
    this.#once('tick', waitMs, () => this.#tick());
  }

  #tick(): void {
    this.#armedForMs = Infinity;
    if (!this.#guard.maySend()) {
      this.#once('tick', gatherMs, () => this.#tick());
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

  #rearm(gateway: Gateway): void {
    gateway.openMs = null;
    if (gateway.isGone) return;
    const nextMs = gateway.nextMs(this.#ports.clock.now());
    if (nextMs === null) {
      this.#wheel.delete(gateway);
      this.#lockWheel.delete(gateway);
      return;
    }
    this.#wheel.set(gateway, nextMs);
    this.#lockWheel.set(gateway, nextMs - lockAheadMs);
    this.#arm();
  }

  // Slots

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
      this.#rearm(gateway);
      return null;
    }
    return this.#take(walk, gateway, wish);
  }

  /** Polls a gateway in its turn, and adds the row. */
  async #take(walk: ShardWalk, gateway: Gateway, wish: PollWish): Promise<void> {
    const polled = await this.#course(walk, gateway, wish);
    if (polled !== null) this.#record(walk, gateway, { ...wish, ...polled });
    else if (!walk.isEnding) this.#cutOff(walk, gateway, wish);
    this.#rearm(gateway);
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
      this.#record(walk, gateway, { ...slot, reading: skipped(slot.slotMs) });
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
      if (missed !== null) this.#miss(walk, gateway, missed);
      if (deadlineMs === null) continue;
      const trigger = isLate(span.grid, slotMs, nowMs) ? 'CATCH_UP' : 'SCHEDULE';
      taken = { trigger, slotMs, deadlineMs };
    }
    gateway.tidy();
    return taken;
  }

  /** Writes off slots: who was not there, or what took too long. */
  #miss(walk: ShardWalk, gateway: Gateway, run: SlotRun, why?: MissedReason): void {
    const [before, since] = cutAfter(run, walk.takenAtMs);
    const [halted, late] =
      since === null ? [null, null] : cutAfter(since, this.#guard.haltedUntilMs);
    const parts: [SlotRun | null, MissedReason][] = [
      [before, 'NO_WORKER'],
      [halted, 'HALTED'],
      [late, why ?? 'OVERRUN'],
    ];
    for (const [part, reason] of parts) {
      for (const day of part === null ? [] : byDay(part)) {
        this.#ports.meter.missed(day.count, reason);
        this.#record(walk, gateway, { slotMs: lastOf(day), reading: missedReading(day, reason) });
      }
    }
  }

  /** A poll was cut off while the walk goes on: by an emergency stop, or because the process was stopped. */
  #cutOff(walk: ShardWalk, gateway: Gateway, { slotMs }: PollWish): void {
    if (slotMs === null) return;
    const { intervalMs } = gateway.loaded.period;
    const why = this.#guard.isHalted ? 'HALTED' : 'OVERRUN';
    this.#miss(walk, gateway, { firstMs: slotMs, count: 1, intervalMs }, why);
  }

  /** One poll, counted and judged. Never rejects. @returns null if it was cut off. */
  async #course(walk: ShardWalk, gateway: Gateway, wish: PollWish): Promise<Polled | null> {
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
      this.#judgeAfter(walk, gateway, before);
      // A poll that a person asked for may bring the next probe forward.
      if (gateway.openMs === null) this.#rearm(gateway);
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

  /** Adds a row, with what is known of the gateway after it. */
  #record(
    walk: ShardWalk,
    gateway: Gateway,
    {
      slotMs,
      reading,
      texts = [],
    }: { slotMs: number | null; reading: ReadingRow; texts?: Polled['texts'] },
  ): void {
    if (slotMs !== null) gateway.lastSlotMs = Math.max(gateway.lastSlotMs ?? -Infinity, slotMs);
    const { intervalMs } = gateway.loaded.period;
    this.#writer.add({
      shard: walk.place.shard,
      gatewayId: gateway.id,
      reading,
      texts,
      state: gateway.state(),
      intervalMs: slotMs === null ? null : intervalMs,
      ...(walk.toEvaluate.has(gateway.id) ? { onWritten: () => void this.#evaluate(walk) } : {}),
    });
  }

  // Gateways that change

  async #load(walk: ShardWalk, ids?: readonly string[]): Promise<void> {
    if (walk.isEnding) return;
    try {
      const { news, known } = await walk.readNews(ids);
      if (walk.isEnding) return;
      const past = Map.groupBy(news.past, ({ gatewayId }) => gatewayId);
      for (const id of news.goneIds) this.#forget(walk.remove(id));
      for (const loaded of news.changed) {
        const { gateway, isNew } = walk.put(loaded, known);
        this.#walkOf.set(gateway, walk);
        const unsure = gateway.layOut(past.get(loaded.id) ?? []);
        if (isNew) gateway.begin(this.#ports.clock.now());
        if (unsure !== null) this.#missSingly(walk, gateway, unsure);
        if (gateway.openMs === null) this.#rearm(gateway);
      }
      walk.isLoaded = true;
    } catch (error) {
      // The next look, in five seconds, reads it again.
      this.#ports.log.warn(
        { shard: walk.place.shard, error: String(error) },
        'the gateways of a shard could not be read',
      );
      if (!walk.isLoaded)
        this.#once(`load ${walk.place.shard}`, renewMs, () => void this.#load(walk));
    }
  }

  /** Slots that may have a row already get one each, which then changes nothing. */
  #missSingly(walk: ShardWalk, gateway: Gateway, run: SlotRun): void {
    for (let n = 0; n < run.count; n += 1) {
      const slotMs = run.firstMs + n * run.intervalMs;
      const one = { firstMs: slotMs, count: 1, intervalMs: run.intervalMs };
      this.#record(walk, gateway, { slotMs, reading: missedReading(one, 'NO_WORKER') });
    }
  }

  #forget(gateway: Gateway | null): void {
    if (gateway === null) return;
    this.#wheel.delete(gateway);
    this.#lockWheel.delete(gateway);
    this.#ports.locks.release(gateway.id);
  }

  #askLocks(): void {
    const due = this.#lockWheel.take(this.#ports.clock.now() + lockGatherMs);
    if (due.length === 0) return;
    this.#ports.locks.ask(
      due.map(({ id, loaded }) => ({ gatewayId: id, ttlMs: 2 * loaded.period.intervalMs })),
    );
  }

  // Alerts

  #judgeAfter(walk: ShardWalk, gateway: Gateway, before: GatewayFacts): void {
    const { facts, plan, id } = gateway;
    if (needsEvaluation(before, facts, plan, this.#ports.limits)) walk.toEvaluate.add(id);
  }

  /** Judges what time alone changes. */
  #sweep(): void {
    const nowMs = this.#ports.clock.now();
    for (const walk of this.#walks.values()) {
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
        this.#judgeAfter(walk, gateway, before);
        this.#writer.add({
          shard: walk.place.shard,
          gatewayId: gateway.id,
          reading: null,
          texts: [],
          state: gateway.state(),
          intervalMs: null,
        });
      }
      void this.#evaluate(walk);
    }
  }

  async #evaluate(walk: ShardWalk): Promise<void> {
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

  // Leases

  #leases(): Lease[] {
    return [...this.#walks.values()].map(({ lease }) => lease);
  }

  #pulse(): void {
    this.#guard.pulse();
    if (this.#guard.isFrozen) {
      this.#cutAll();
      void this.#renew();
    }
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing || this.#isClosed || this.#walks.size === 0) return;
    this.#isRenewing = true;
    const sentAtMs = this.#ports.clock.elapsed();
    const asked = [...this.#walks.values()].map((walk) => ({
      ...walk.lease,
      figures: this.#figures(walk),
    }));
    try {
      const { held, isHalted } = await this.#ports.store.renew(asked);
      const wasHalted = this.#guard.isHalted;
      this.#guard.renewed(sentAtMs, isHalted);
      if (isHalted && !wasHalted) this.#cutAll();
      this.#renewed(asked, held);
    } catch {
      // The rows that wait say so, once.
    } finally {
      this.#isRenewing = false;
    }
    this.#endLonely();
  }

  #renewed(asked: readonly Lease[], held: readonly Renewed[]): void {
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
    for (const gateway of walk.gateways.values()) {
      this.#wheel.delete(gateway);
      this.#lockWheel.delete(gateway);
    }
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

const noted = (): void => {};

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

function skipped(slotMs: number): ReadingRow {
  return {
    ...missedReading({ firstMs: slotMs, count: 0, intervalMs: 0 }, 'LOCKED'),
    outcome: 'SKIPPED_LOCKED',
  };
}
