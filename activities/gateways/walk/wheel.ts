/** Who is due next: a binary heap of entries by time. One timer serves them all. */

export interface Wheel<Item> {
  /** Puts an item in, or moves it. */
  set(item: Item, atMs: number): void;
  delete(item: Item): void;
  /** The earliest time; null: the wheel is empty. */
  nextMs(): number | null;
  /** Takes out all items up to a time, the earliest first. */
  take(untilMs: number): Item[];
}

interface Entry<Item> {
  item: Item;
  atMs: number;
}

/** An entry that was moved or deleted stays in the heap until its time and is dropped then. */
export function createWheel<Item>(): Wheel<Item> {
  const heap: Entry<Item>[] = [];
  const current = new Map<Item, Entry<Item>>();

  function set(item: Item, atMs: number): void {
    const entry = { item, atMs };
    current.set(item, entry);
    heap.push(entry);
    let at = heap.length - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Entry<Item>;
      if (parent.atMs <= atMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  function pop(): void {
    const last = heap.pop() as Entry<Item>;
    if (heap.length === 0) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      const right = below + 1;
      const isRight =
        right < heap.length &&
        (heap[right] as Entry<Item>).atMs < (heap[below] as Entry<Item>).atMs;
      const child = isRight ? right : below;
      if ((heap[child] as Entry<Item>).atMs >= last.atMs) break;
      heap[at] = heap[child] as Entry<Item>;
      at = child;
    }
    heap[at] = last;
  }

  /** The earliest entry that still holds. */
  function first(): Entry<Item> | undefined {
    for (;;) {
      const entry = heap[0];
      if (entry === undefined || current.get(entry.item) === entry) return entry;
      pop();
    }
  }

  return {
    set,
    delete: (item) => void current.delete(item),
    nextMs: () => first()?.atMs ?? null,
    take(untilMs) {
      const items: Item[] = [];
      for (let entry = first(); entry !== undefined && entry.atMs <= untilMs; entry = first()) {
        pop();
        current.delete(entry.item);
        items.push(entry.item);
      }
      return items;
    },
  };
}
