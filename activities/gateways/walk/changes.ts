import type { Gateway } from './gateway.ts';
import type { WalkPorts } from './ports.ts';
import type { Rows } from './rows.ts';
import type { ShardWalk } from './shard-walk.ts';
import type { Slots } from './slots.ts';
import type { Timers } from './timers.ts';

/** Gateways that were added, changed or removed: heard by notices, or found by a look at all of them. */

/** Notices that come within so many ms are heard together. */
const gatherMs = 50;
/** A shard that could not be read yet is read again so much later. */
const againMs = 1_000;

export interface ChangesOptions {
  ports: Pick<WalkPorts, 'clock' | 'store' | 'locks' | 'log'>;
  slots: Slots;
  rows: Rows;
  timers: Timers;
  walks: () => readonly ShardWalk[];
  /** Called with each look at all gateways: a request for one that is new may wait. */
  looked: () => void;
}

export class Changes {
  readonly #ports: ChangesOptions['ports'];
  readonly #slots: Slots;
  readonly #rows: Rows;
  readonly #timers: Timers;
  readonly #walks: ChangesOptions['walks'];
  readonly #looked: () => void;
  /** Gateways that changed; an empty word: perhaps any. */
  readonly #heard = new Set<string>();

  constructor({ ports, slots, rows, timers, walks, looked }: ChangesOptions) {
    this.#ports = ports;
    this.#slots = slots;
    this.#rows = rows;
    this.#timers = timers;
    this.#walks = walks;
    this.#looked = looked;
  }

  /** A gateway changed; null: perhaps any. */
  hear(id: string | null): void {
    this.#heard.add(id ?? '');
    this.#timers.once('heard', gatherMs, () => {
      const ids = this.#heard.has('') ? undefined : [...this.#heard];
      this.#heard.clear();
      for (const walk of this.#walks()) void this.load(walk, ids);
      if (ids === undefined) this.#looked();
    });
  }

  /** Reads what is new of a shard. @param ids absent: all of its gateways. */
  async load(walk: ShardWalk, ids?: readonly string[]): Promise<void> {
    if (walk.isEnding) return;
    try {
      const { news, known } = await walk.readNews(ids);
      if (walk.isEnding) return;
      if (!walk.isLoaded) walk.readAtMs = this.#ports.clock.now();
      const past = Map.groupBy(news.past, ({ gatewayId }) => gatewayId);
      for (const id of news.goneIds) this.#forget(walk.remove(id));
      for (const loaded of news.changed) {
        const { gateway, isNew } = walk.put(loaded, known);
        this.#slots.put(gateway, walk);
        const unsure = gateway.layOut(past.get(loaded.id) ?? []);
        if (isNew) gateway.begin(this.#ports.clock.now());
        if (unsure !== null) this.#rows.missSingly(walk, gateway, unsure);
        if (gateway.openMs === null) this.#slots.rearm(gateway);
      }
      // A part of the gateways may be heard of before all of them are read.
      if (ids === undefined) walk.isLoaded = true;
    } catch (error) {
      // The next look, in five seconds, reads it again.
      this.#ports.log.warn(
        { shard: walk.place.shard, error: String(error) },
        'the gateways of a shard could not be read',
      );
      if (!walk.isLoaded)
        this.#timers.once(`load ${walk.place.shard}`, againMs, () => void this.load(walk));
    }
  }

  #forget(gateway: Gateway | null): void {
    if (gateway === null) return;
    this.#slots.remove(gateway);
    this.#ports.locks.release(gateway.id);
  }
}
