import type { ShardPlace } from '../../../db/gateways/walk.ts';
import { Changes } from './changes.ts';
import { Guard, pulseMs } from './guard.ts';
import { Judging } from './judging.ts';
import type { WalkPorts } from './ports.ts';
import { Requests } from './requests.ts';
import { Rows } from './rows.ts';
import { Shards, type Walk } from './shards.ts';
import { lockGatherMs, Slots } from './slots.ts';
import { Timers } from './timers.ts';
import { createWriter, type Writer } from './writer.ts';

/**
 * The walker of a process: polls the gateways of all shards whose leases it holds. It joins the parts: `shards.ts` keeps the
 * leases, `slots.ts` polls what is due, `changes.ts` and `requests.ts` hear people, `rows.ts` and `writer.ts` write,
 * `judging.ts` says whose alerts are judged.
 */

/** Leases are renewed, and what people want is looked at, so often. */
const renewMs = 1_000;
/** How often the shard's gateways are compared with the tables, in case that a notice was lost. */
const lookMs = 5_000;
/** How often what time alone changes is judged. */
const sweepMs = 10_000;

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

export function createWalker(ports: WalkPorts): Walker {
  return new ProcessWalker(ports);
}

class ProcessWalker implements Walker {
  readonly #guard: Guard;
  readonly #timers: Timers;
  readonly #writer: Writer;
  readonly #shards: Shards;
  readonly #changes: Changes;
  readonly #requests: Requests;

  constructor(ports: WalkPorts) {
    const walks = () => this.#shards.list();
    const guard = new Guard(ports.clock);
    const timers = new Timers(ports.clock);
    const writer = createWriter({
      ports,
      leases: () => this.#shards.leases(),
      onRenewed: (asked, held) => this.#shards.renewed(asked, held),
    });
    const judging = new Judging({ ports, writer, walks });
    const rows = new Rows({ ports, guard, writer, judging });
    const slots = new Slots({ ports, guard, rows, judging, timers });
    const looked = () => this.#requests.hear();
    const changes = new Changes({ ports, slots, rows, timers, walks, looked });
    const begun = (walk: Parameters<Changes['load']>[0]) => void changes.load(walk);
    this.#guard = guard;
    this.#timers = timers;
    this.#writer = writer;
    this.#changes = changes;
    this.#shards = new Shards({ ports, guard, writer, slots, timers, begun });
    this.#requests = new Requests({
      ports,
      guard,
      writer,
      walks,
      poll: (walk, gateway, wish) => slots.course(walk, gateway, wish),
    });
    timers.repeat('pulse', pulseMs, () => this.#shards.pulse());
    timers.repeat('renew', renewMs, () => void this.#shards.renew());
    timers.repeat('look', lookMs, () => changes.hear(null));
    timers.repeat('sweep', sweepMs, () => judging.sweep());
    timers.repeat('locks', lockGatherMs, () => slots.askLocks());
  }

  walk(place: ShardPlace, epoch: number): Walk {
    return this.#shards.walk(place, epoch);
  }

  shards(): readonly number[] {
    return this.#shards.list().map(({ place }) => place.shard);
  }

  hearGateway(id: string | null): void {
    this.#changes.hear(id);
  }

  hearRequest(): void {
    this.#requests.hear();
  }

  hearHalt(): void {
    void this.#shards.renew();
    this.#changes.hear(null);
  }

  maySend(): boolean {
    return this.#guard.maySend();
  }

  uses(host: string, port: number): boolean {
    return this.#shards.list().some((walk) => walk.uses({ host, port }));
  }

  totals(): { gateways: number; polling: number; rows: number } {
    const totals = { gateways: 0, polling: 0, rows: 0 };
    for (const walk of this.#shards.list()) {
      totals.gateways += walk.gateways.size;
      totals.polling += walk.inFlight.size;
      totals.rows += this.#writer.waiting(walk.place.shard).rows;
    }
    return totals;
  }

  successRates(max: number): { id: string; share: number }[] {
    const rates: { id: string; share: number }[] = [];
    for (const walk of this.#shards.list())
      for (const { id, facts } of walk.gateways.values()) {
        const { recent } = facts;
        const failed = recent.length - recent.replaceAll('F', '').length;
        if (recent !== '') rates.push({ id, share: 1 - failed / recent.length });
      }
    return rates.toSorted((a, b) => a.share - b.share || (a.id < b.id ? -1 : 1)).slice(0, max);
  }

  close(): void {
    this.#timers.close();
  }
}
