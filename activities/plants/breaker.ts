import type { Brand } from '../../domain/plants/plant.ts';

/** After this many local fetches in a row that their budget cut off, the brand's vendor counts as slow. */
const cutsToOpen = 3;
/** A regular fetch that answers within this closes the breaker again. */
const quickAnswerMs = 1_000;

/**
 * Keeps a slow vendor off the local path, per brand: a local fetch that waits out its budget holds a workflow task for
 * nothing. Lives in the fetch activity of this process; the workflow never reads it.
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
