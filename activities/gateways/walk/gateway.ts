import { factsOf } from '../../../db/gateways/standing.ts';
import type { WalkedGateway } from '../../../db/gateways/walk.ts';
import type { PastPeriod } from '../../../db/gateways/past-periods.ts';
import type { StoredState } from '../../../db/gateways/state.ts';
import type { CounterStates } from '../../../domain/gateways/counters.ts';
import { type DueSpan, nextDue, type SlotRun } from '../../../domain/gateways/due.ts';
import { disabledFacts, returnedFacts } from '../../../domain/gateways/disable.ts';
import type { GatewayFacts, GatewayPlan } from '../../../domain/gateways/facts.ts';
import { noQuirks, type Quirks } from '../../../domain/gateways/gateway.ts';
import type { QuirksOf } from '../../../domain/gateways/read-plan.ts';
import { isOnGrid, lastSlotAtOrBefore, nextSlotAfter } from '../../../domain/slots.ts';
import type { Site } from './site.ts';

/** One gateway of a walk: what its row says, how far its slots are, and what is known of it. */

/** A row whose slot lies so far beyond the end of its period is no fault: the walker hears of a change within a second. */
const overlapMs = 2_000;
/** A gateway that became due is polled at once if its first slot is further away than this. */
const startAheadMs = 10_000;

export class Gateway {
  readonly id: string;
  loaded: WalkedGateway;
  site: Site;
  quirksOf: QuirksOf;
  /** When it is due, oldest first; ended ones only while they have slots without a row. */
  spans: DueSpan[] = [];
  /** The newest slot with a row, or with one on its way. */
  lastSlotMs: number | null;
  counters: CounterStates;
  lastReading: StoredState['lastReading'];
  facts: GatewayFacts;
  /** The slot or the instant for which it waits for its turn, or is polled; null: it does neither. */
  openMs: number | null = null;
  /** It was taken off the walk. */
  isGone = false;
  /** It became due and was not polled since. */
  isNew = false;
  #lastReadAtMs = -Infinity;

  constructor(loaded: WalkedGateway, site: Site) {
    this.id = loaded.id;
    this.loaded = loaded;
    this.site = site;
    this.quirksOf = quirksOf(loaded);
    const { state } = loaded;
    this.lastSlotMs = state.lastSlotMs;
    this.counters = (state.counters ?? {}) as CounterStates;
    this.lastReading = state.lastReading;
    this.facts = factsOf(state);
  }

  get plan(): GatewayPlan {
    const { period, pauseReason } = this.loaded;
    const { reason, fromMs, intervalMs } = period;
    return { reason, fromMs, intervalMs, pauseReason };
  }

  /** The span of the open period; null: it is not due. */
  get openSpan(): DueSpan | null {
    const span = this.spans.at(-1);
    return span !== undefined && span.toMs === null ? span : null;
  }

  /** The next instant at which something is due; null: nothing. */
  nextMs(nowMs: number): number | null {
    if (this.loaded.period.reason === 'DISABLED') return this.facts.nextProbeAtMs;
    if (this.isNew) return nowMs;
    for (const span of this.spans) {
      const slotMs = nextDue(span);
      if (slotMs !== null) return slotMs;
    }
    return null;
  }

  /** An instant for a row that stands for no slot: after the last slot, and on none. */
  freeReadAt(nowMs: number): number {
    let atMs = Math.max(nowMs, (this.lastSlotMs ?? 0) + 1, this.#lastReadAtMs + 1);
    const grid = this.openSpan?.grid;
    if (grid !== undefined && isOnGrid(grid, atMs)) atMs += 1;
    this.#lastReadAtMs = atMs;
    return atMs;
  }

  /** What is stored of it beside its rows. */
  state(): StoredState {
    const { standing, ...facts } = this.facts;
    return {
      status: standing.status,
      statusReason: standing.reason,
      statusMessage: standing.message,
      statusSinceMs: standing.sinceMs,
      lastSlotMs: this.lastSlotMs,
      lastPolledAtMs: facts.lastPolledAtMs,
      lastSeenAtMs: facts.lastSeenAtMs,
      consecutiveFailures: facts.consecutiveFailures,
      failingSinceMs: facts.failingSinceMs,
      recent: facts.recent,
      badPoints: facts.badPoints,
      silentUnits: facts.silentUnits,
      counters: this.counters,
      lastReading: this.lastReading,
      nextProbeAtMs: facts.nextProbeAtMs,
      probes: facts.probes,
      goodProbes: facts.goodProbes,
    };
  }

  /** Takes over what people or the judgement of failures changed. */
  change(loaded: WalkedGateway, site: Site, nowMs: number): void {
    const before = this.loaded;
    this.loaded = loaded;
    this.site = site;
    this.quirksOf = quirksOf(loaded);
    const { disabledAtMs } = loaded.state;
    if (disabledAtMs === null && this.facts.disabledAtMs !== null)
      this.facts = returnedFacts(this.facts);
    if (disabledAtMs !== null && this.facts.disabledAtMs === null)
      this.facts = disabledFacts(this.facts, disabledAtMs);
    if (before.period.fromMs !== loaded.period.fromMs && before.period.reason !== 'ACTIVE')
      this.#look(nowMs);
  }

  /** Notes whether it is polled before its first slot, so that people need not wait for it. */
  begin(nowMs: number): void {
    const { lastPolledAtMs } = this.facts;
    if ((lastPolledAtMs ?? -Infinity) < this.loaded.period.fromMs) this.#look(nowMs);
  }

  #look(nowMs: number): void {
    const span = this.openSpan;
    const slotMs = span === null ? null : nextDue(span);
    this.isNew = slotMs !== null && slotMs > nowMs + startAheadMs;
  }

  /**
   * Lays out when it is due, from its open period and those that ended since the newest slot with a row.
   *
   * @returns slots of which it is not known whether they have a row: they lie before the newest slot on the grid before.
   */
  layOut(past: readonly PastPeriod[]): SlotRun | null {
    const { period } = this.loaded;
    const ended = past.map(({ fromMs, toMs, intervalMs, phaseMs }) => ({
      fromMs,
      toMs,
      grid: { intervalMs, phaseMs },
    }));
    const { intervalMs, phaseMs } = period;
    const open = { fromMs: period.fromMs, toMs: null, grid: { intervalMs, phaseMs } };
    const wanted = period.reason === 'ACTIVE' ? [...ended, open] : ended;
    const isFirst = this.spans.length === 0;
    const known = new Map(this.spans.map((span) => [span.fromMs, span.doneMs]));
    this.spans = wanted.map((span) => ({
      ...span,
      doneMs:
        known.get(span.fromMs) ??
        Math.max(span.fromMs - 1, isFirst ? (this.lastSlotMs ?? -Infinity) : -Infinity),
    }));
    return isFirst ? unsure(this.openSpan, this.lastSlotMs) : null;
  }

  /** Drops ended spans whose slots all have rows. */
  tidy(): void {
    if (this.spans.length > 1) this.spans = this.spans.filter((span) => nextDue(span) !== null);
  }
}

/** Slots of a new grid that lie before a slot that was still polled on the old one. */
function unsure(span: DueSpan | null, lastSlotMs: number | null): SlotRun | null {
  if (span === null || lastSlotMs === null || lastSlotMs - span.fromMs > overlapMs) return null;
  const { grid, fromMs } = span;
  const firstMs = nextSlotAfter(grid, fromMs - 1);
  const lastMs = lastSlotAtOrBefore(grid, lastSlotMs);
  if (lastMs < firstMs) return null;
  const { intervalMs } = grid;
  return { firstMs, count: (lastMs - firstMs) / intervalMs + 1, intervalMs };
}

/** The gateway's quirks with those of each unit over them; the same objects at every call. */
function quirksOf({ quirks, units }: WalkedGateway): QuirksOf {
  const common: Quirks = { ...noQuirks, ...quirks };
  const byUnit = new Map(units.map((unit) => [unit.unitId, { ...common, ...unit.quirks }]));
  return (unitId) => byUnit.get(unitId) ?? common;
}
