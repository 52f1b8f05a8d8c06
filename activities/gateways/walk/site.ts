import type { SunSpecLayout } from '../../../domain/gateways/sunspec.ts';
import type { Learned } from '../../../domain/gateways/read-plan.ts';
import type { Address, WalkSite } from './ports.ts';

/** One host and port of a walk: whose turn it is on its socket, and what was learned of the units behind it. */

/** Who goes first: a person who waits, then by priority. */
export const ranks = { PERSON: 0, HIGH: 1, NORMAL: 2, LOW: 3 } as const;
export type Rank = (typeof ranks)[keyof typeof ranks];

/** One use of the socket. It decides when its turn comes whether there is still something to do. */
export type Turn = () => Promise<void> | null;

export class Site {
  readonly address: Address;
  readonly modbus: WalkSite;
  /** What its units refuse. */
  learned: Learned;
  /** SunSpec's models by unit; null: the unit has none. Replaced, never changed. */
  layouts: ReadonlyMap<number, SunSpecLayout | null>;
  /** When to look again for models that were not there, or did not fit the standard. */
  readonly lookAgainMs = new Map<number, number>();
  /** Gateways that use it. */
  users = 0;
  #isBusy = false;
  readonly #waiting: Turn[][] = [[], [], [], []];

  constructor(
    address: Address,
    modbus: WalkSite,
    known: { learned: Learned; layouts: ReadonlyMap<number, SunSpecLayout | null> },
  ) {
    this.address = address;
    this.modbus = modbus;
    this.learned = known.learned;
    this.layouts = known.layouts;
  }

  /** Takes the turn at once if the socket is free, else when it comes. */
  take(turn: Turn, rank: Rank): void {
    this.#waiting[rank]?.push(turn);
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    for (;;) {
      const turn = this.#waiting.find((turns) => turns.length > 0)?.shift();
      if (turn === undefined) return;
      const work = turn();
      if (work === null) continue;
      this.#isBusy = true;
      const free = () => {
        this.#isBusy = false;
        this.#next();
      };
      // A turn deals with its own errors.
      void work.then(free, free);
      return;
    }
  }
}
