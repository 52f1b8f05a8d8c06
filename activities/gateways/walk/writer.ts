import type { Lease, Renewed } from '../../../db/gateways/leases.ts';
import type { StoredState } from '../../../db/gateways/state.ts';
import type { BatchRow, DeviceText, ReadingRow } from '../../../db/gateways/write-batch.ts';
import { byDay, type SlotRun } from '../../../domain/gateways/due.ts';
import type { Timer, WalkPorts } from './ports.ts';

/**
 * Writes the rows of all shards of a process: what ends within 100 ms goes into one statement. While PostgreSQL is away the
 * rows wait here, up to a limit; then the oldest become MISSED rows.
 */

/** Rows that end within so many ms go into one statement. */
const gatherMs = 100;
/** More rows would make the statement longer than a walker may be without its lease. */
const batchRowsMax = 2_000;
/** After a statement that failed the next one is tried so much later. */
const retryMs = 500;
/** What waits while PostgreSQL is away. */
const bufferAgeMsMax = 10 * 60_000;
const bufferBytesMax = 64 * 1_024 * 1_024;
/** What a row takes in memory: itself, and for each point. */
const rowBytes = 300;
const pointBytes = 12;

/** A row that ended, with what its gateway is after it. */
export interface EndedRow {
  shard: number;
  gatewayId: string;
  /** null: only the state changes. */
  reading: ReadingRow | null;
  texts: readonly DeviceText[];
  state: StoredState;
  /** Between the slots that the row stands for; null: it stands for none. */
  intervalMs: number | null;
  /** Called once the row is stored. */
  onWritten?: () => void;
}

export interface Writer {
  add(row: EndedRow): void;
  /** Writes now instead of within 100 ms. */
  hurry(): void;
  /** Forgets the rows of a shard whose lease is lost. */
  drop(shard: number): void;
  /** Resolves when nothing of the shard waits any more, at the latest after `msMax`. */
  drained(shard: number, msMax: number): Promise<void>;
  /** Rows that wait, and the oldest instant for which one stands; of one shard. */
  waiting(shard: number): { rows: number; oldestMs: number | null };
}

export interface WriterOptions {
  ports: Pick<WalkPorts, 'clock' | 'log'> & {
    store: Pick<WalkPorts['store'], 'writeBatch' | 'isRowRefused'>;
  };
  leases: () => readonly Lease[];
  /** What a batch tells of the leases that it renewed. */
  onRenewed: (asked: readonly Lease[], held: readonly Renewed[]) => void;
}

interface Entry extends Omit<EndedRow, 'state'> {
  atMs: number;
  /** How far the gateway is with this row. */
  lastSlotMs: number | null;
  lastPolledAtMs: number | null;
  bytes: number;
}

export function createWriter(options: WriterOptions): Writer {
  return new RowWriter(options);
}

class RowWriter implements Writer {
  readonly #ports: WriterOptions['ports'];
  readonly #leases: WriterOptions['leases'];
  readonly #onRenewed: WriterOptions['onRenewed'];
  #waiting: Entry[] = [];
  #bytes = 0;
  /** The newest state of each gateway that waits. Older ones would only take memory. */
  readonly #states = new Map<string, StoredState>();
  /** Slots whose rows had to give way. */
  #lost: { shard: number; gatewayId: string; run: SlotRun; state: StoredState }[] = [];
  #timer: Timer | null = null;
  #isWriting = false;
  #onDrained: (() => void)[] = [];

  constructor({ ports, leases, onRenewed }: WriterOptions) {
    this.#ports = ports;
    this.#leases = leases;
    this.#onRenewed = onRenewed;
  }

  add({ state, ...row }: EndedRow): void {
    const points = row.reading?.values?.length ?? 0;
    const bytes = rowBytes + points * pointBytes;
    const { lastSlotMs, lastPolledAtMs } = state;
    this.#states.set(row.gatewayId, state);
    this.#waiting.push({
      ...row,
      lastSlotMs,
      lastPolledAtMs,
      bytes,
      atMs: this.#ports.clock.now(),
    });
    this.#bytes += bytes;
    // What a statement carries just now may yet be stored.
    if (this.#isWriting) return;
    this.#trim();
    this.#timer ??= this.#ports.clock.after(gatherMs, () => this.#write());
  }

  hurry(): void {
    if (this.#isWriting || this.#timer === null) return;
    this.#timer.cancel();
    this.#write();
  }

  drop(shard: number): void {
    this.#waiting = this.#waiting.filter((entry) => entry.shard !== shard);
    this.#lost = this.#lost.filter((one) => one.shard !== shard);
    this.#count();
    this.#tellDrained();
  }

  async drained(shard: number, msMax: number): Promise<void> {
    this.hurry();
    const { clock } = this.#ports;
    const endsAtMs = clock.elapsed() + msMax;
    while (this.waiting(shard).rows > 0 && clock.elapsed() < endsAtMs)
      await new Promise<void>((resolve) => {
        const timer = clock.after(Math.max(1, endsAtMs - clock.elapsed()), resolve);
        this.#onDrained.push(() => {
          timer.cancel();
          resolve();
        });
      });
  }

  waiting(shard: number): { rows: number; oldestMs: number | null } {
    let rows = 0;
    let oldestMs: number | null = null;
    for (const entry of this.#waiting) {
      if (entry.shard !== shard) continue;
      rows += 1;
      if (entry.reading !== null) oldestMs = Math.min(oldestMs ?? Infinity, entry.reading.readAtMs);
    }
    for (const one of this.#lost) if (one.shard === shard) rows += 1;
    return { rows, oldestMs };
  }

  #write(): void {
    this.#timer = null;
    this.#isWriting = true;
    this.#writeAll().then(
      () => this.#rest(gatherMs),
      (error: unknown) => {
        this.#ports.log.warn(
          { error: error instanceof Error ? error.message : String(error) },
          'rows of gateways could not be written: they wait',
        );
        this.#rest(retryMs);
      },
    );
  }

  /** @param afterMs when to write what came meanwhile. */
  #rest(afterMs: number): void {
    this.#isWriting = false;
    this.#trim();
    this.#tellDrained();
    if (this.#waiting.length + this.#lost.length > 0)
      this.#timer = this.#ports.clock.after(afterMs, () => this.#write());
  }

  async #writeAll(): Promise<void> {
    for (const one of this.#lost.splice(0).reverse()) {
      if (!this.#states.has(one.gatewayId)) this.#states.set(one.gatewayId, one.state);
      this.#waiting.unshift(...missedEntries(one, this.#ports.clock.now()));
    }
    // Those that come while a statement runs gather for the next one, unless there is more than one holds.
    do {
      const entries = this.#waiting.slice(0, batchRowsMax);
      await this.#writeSome(entries);
      const done = new Set(entries);
      this.#waiting = this.#waiting.filter((entry) => !done.has(entry));
      this.#count();
      for (const { onWritten } of entries) onWritten?.();
    } while (this.#waiting.length >= batchRowsMax);
  }

  /** Writes these, or the halves of them where the database refuses a row. */
  async #writeSome(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const leases = this.#leases();
    try {
      const held = await this.#ports.store.writeBatch(leases, this.#rowsOf(entries));
      this.#onRenewed(leases, held);
    } catch (error) {
      if (!this.#ports.store.isRowRefused(error)) throw error;
      const [only] = entries;
      if (entries.length === 1 && only !== undefined) await this.#writeRefused(only, error);
      else {
        const half = entries.length >> 1;
        await this.#writeSome(entries.slice(0, half));
        await this.#writeSome(entries.slice(half));
      }
    }
  }

  /** In place of a row that the database refuses: that there was a poll, and no more. */
  async #writeRefused({ shard, gatewayId, reading }: Entry, cause: unknown): Promise<void> {
    const error = cause instanceof Error ? cause.message : String(cause);
    this.#ports.log.error({ gatewayId, error }, 'the database refused a row of a gateway');
    if (reading === null) return;
    const bare: ReadingRow = {
      ...reading,
      outcome: reading.outcome === 'MISSED' ? 'MISSED' : 'FAILED',
      reason: 'ROW_REFUSED',
      requests: null,
      values: null,
      quality: null,
    };
    const leases = this.#leases();
    try {
      const row = { shard, gatewayId, reading: bare, state: null, texts: [] };
      this.#onRenewed(leases, await this.#ports.store.writeBatch(leases, [row]));
    } catch (again) {
      if (!this.#ports.store.isRowRefused(again)) throw again;
      this.#ports.log.error(
        { gatewayId, error },
        'not even a bare row of the gateway was accepted',
      );
    }
  }

  #rowsOf(entries: readonly Entry[]): BatchRow[] {
    const newest = new Map<string, Entry>();
    for (const entry of entries) newest.set(entry.gatewayId, entry);
    return entries.map((entry) => {
      const { shard, gatewayId, reading, texts, lastSlotMs, lastPolledAtMs } = entry;
      const state = newest.get(gatewayId) === entry ? this.#states.get(gatewayId) : undefined;
      const isNewest = state?.lastSlotMs === lastSlotMs && state.lastPolledAtMs === lastPolledAtMs;
      return {
        shard,
        gatewayId,
        reading,
        texts,
        // Never further than the rows: a slot whose row is not stored yet must not count as done.
        state:
          state === undefined ? null : isNewest ? state : { ...state, lastSlotMs, lastPolledAtMs },
      };
    });
  }

  /** Makes room: the oldest rows become MISSED, those that stand for no slot are forgotten. */
  #trim(): void {
    const tooOldMs = this.#ports.clock.now() - bufferAgeMsMax;
    const [oldest] = this.#waiting;
    if (oldest === undefined || (oldest.atMs >= tooOldMs && this.#bytes <= bufferBytesMax)) return;
    let bytes = this.#bytes;
    let count = 0;
    while (count < this.#waiting.length) {
      const entry = this.#waiting[count] as Entry;
      if (entry.atMs >= tooOldMs && bytes <= bufferBytesMax * 0.9) break;
      bytes -= entry.bytes;
      count += 1;
    }
    for (const entry of this.#waiting.splice(0, count)) this.#lose(entry);
    this.#bytes = bytes;
  }

  #lose({ shard, gatewayId, reading, intervalMs, lastSlotMs, lastPolledAtMs }: Entry): void {
    const state = this.#states.get(gatewayId);
    if (reading === null || intervalMs === null || state === undefined) return;
    const count = Math.max(1, reading.slotsMissed);
    const before = this.#lost.findLast((one) => one.gatewayId === gatewayId);
    const after = { ...state, lastSlotMs, lastPolledAtMs };
    const isNext =
      before !== undefined &&
      before.run.intervalMs === intervalMs &&
      before.run.firstMs + before.run.count * intervalMs === reading.readAtMs;
    if (isNext) {
      before.run = { ...before.run, count: before.run.count + count };
      before.state = after;
      return;
    }
    const run = { firstMs: reading.readAtMs, count, intervalMs };
    this.#lost.push({ shard, gatewayId, run, state: after });
  }

  #count(): void {
    this.#bytes = 0;
    const ids = new Set<string>();
    for (const { bytes, gatewayId } of this.#waiting) {
      this.#bytes += bytes;
      ids.add(gatewayId);
    }
    if (ids.size === 0) this.#states.clear();
    else for (const id of this.#states.keys()) if (!ids.has(id)) this.#states.delete(id);
  }

  #tellDrained(): void {
    for (const tell of this.#onDrained.splice(0)) tell();
  }
}

function missedEntries(
  {
    shard,
    gatewayId,
    run,
    state,
  }: { shard: number; gatewayId: string; run: SlotRun; state: StoredState },
  nowMs: number,
): Entry[] {
  const { lastSlotMs, lastPolledAtMs } = state;
  return byDay(run).map((day) => ({
    shard,
    gatewayId,
    reading: missedReading(day, 'NO_DATABASE'),
    texts: [],
    intervalMs: run.intervalMs,
    lastSlotMs,
    lastPolledAtMs,
    bytes: rowBytes,
    atMs: nowMs,
  }));
}

/** The row of slots that nobody polled. @param run within one UTC day. */
export function missedReading(run: SlotRun, reason: string): ReadingRow {
  return {
    readAtMs: run.firstMs,
    trigger: 'SCHEDULE',
    outcome: 'MISSED',
    reason,
    slotsMissed: run.count,
    measuredAtMs: null,
    lateMs: null,
    durationMs: null,
    requests: null,
    mapId: null,
    values: null,
    quality: null,
  };
}
