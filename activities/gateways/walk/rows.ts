import { byDay, cutAfter, lastOf, type SlotRun } from '../../../domain/gateways/due.ts';
import type { MissedReason } from '../../../domain/gateways/reading.ts';
import type { ReadingRow } from '../../../db/gateways/write-batch.ts';
import type { Gateway } from './gateway.ts';
import type { Guard } from './guard.ts';
import type { Judging } from './judging.ts';
import type { Polled, PollWish } from './poll.ts';
import type { WalkPorts } from './ports.ts';
import type { ShardWalk } from './shard-walk.ts';
import { missedReading, type Writer } from './writer.ts';

/** What is written of a slot: the poll, or why there was none. */

export interface RowsOptions {
  ports: Pick<WalkPorts, 'meter'>;
  guard: Guard;
  writer: Writer;
  judging: Judging;
}

export class Rows {
  readonly #ports: RowsOptions['ports'];
  readonly #guard: Guard;
  readonly #writer: Writer;
  readonly #judging: Judging;

  constructor({ ports, guard, writer, judging }: RowsOptions) {
    this.#ports = ports;
    this.#guard = guard;
    this.#writer = writer;
    this.#judging = judging;
  }

  /** Writes off slots, and says what was away, or that others took too long. */
  miss(walk: ShardWalk, gateway: Gateway, run: SlotRun, why?: MissedReason): void {
    const [before, since] = cutAfter(run, walk.takenAtMs);
    const [unread, known] = since === null ? [null, null] : cutAfter(since, walk.readAtMs);
    const [halted, late] =
      known === null ? [null, null] : cutAfter(known, this.#guard.haltedUntilMs);
    const parts: [SlotRun | null, MissedReason][] = [
      [before, 'NO_WORKER'],
      [unread, 'NO_DATABASE'],
      [halted, 'HALTED'],
      [late, why ?? 'OVERRUN'],
    ];
    for (const [part, reason] of parts) {
      for (const day of part === null ? [] : byDay(part)) {
        this.#ports.meter.missed(day.count, reason);
        this.record(walk, gateway, { slotMs: lastOf(day), reading: missedReading(day, reason) });
      }
    }
  }

  /** A poll was cut off while the walk goes on: by an emergency stop, or because the process was stopped. */
  cutOff(walk: ShardWalk, gateway: Gateway, { slotMs }: PollWish): void {
    if (slotMs === null) return;
    const { intervalMs } = gateway.loaded.period;
    const why = this.#guard.isHalted ? 'HALTED' : 'OVERRUN';
    this.miss(walk, gateway, { firstMs: slotMs, count: 1, intervalMs }, why);
  }

  /** Adds a row, with what is known of the gateway after it. */
  record(
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
      ...(walk.toEvaluate.has(gateway.id)
        ? { onWritten: () => void this.#judging.evaluate(walk) }
        : {}),
    });
  }

  /** Slots that may have a row already get one each, which then changes nothing. */
  missSingly(walk: ShardWalk, gateway: Gateway, run: SlotRun): void {
    for (let n = 0; n < run.count; n += 1) {
      const slotMs = run.firstMs + n * run.intervalMs;
      const one = { firstMs: slotMs, count: 1, intervalMs: run.intervalMs };
      this.record(walk, gateway, { slotMs, reading: missedReading(one, 'NO_WORKER') });
    }
  }
}
