import type { Brand } from '../../domain/plants/plant.ts';

/** After this many local fetches in a row without an answer in time, the brand's vendor counts as slow. */
const cutsToOpen = 3;
/** A regular fetch that takes no longer closes the breaker again. */
const quickAnswerMs = 1_000;

/**
 * Keeps the slow vendor of a brand off the local path, because a local fetch holds a workflow task while it waits. Only the
 * fetch activities of this process use it, never a workflow.
 */
export class Breaker {
  readonly #cutsInARow = new Map<Brand, number>();
  readonly #open = new Set<Brand>();

  isOpen(brand: Brand): boolean {
    return this.#open.has(brand);
  }

  localCut(brand: Brand): void {
    const cuts = (this.#cutsInARow.get(brand) ?? 0) + 1;
    this.#cutsInARow.set(brand, cuts);
    if (cuts >= cutsToOpen) this.#open.add(brand);
  }

  localAnswered(brand: Brand): void {
    this.#cutsInARow.delete(brand);
  }

  regularAnswered(brand: Brand, durationMs: number): void {
    if (durationMs > quickAnswerMs) return;
    this.#open.delete(brand);
    this.#cutsInARow.delete(brand);
  }
}
