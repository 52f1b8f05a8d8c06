import { readFileSync } from 'node:fs';

import { type Grid, lastSlotAtOrBefore, nextSlotAfter, phaseMs } from '../../../domain/slots.ts';

/**
 * Judges any engine by what the simulated gateways saw of it: a poll is the first of its requests. The engine's own record is
 * not asked.
 */

/** The register with which a poll of the bench's points begins. */
export const firstAddress = 0;

export interface SeenPoll {
  gatewayId: string;
  atMs: number;
}

/** The polls of a farm's log (a line for each request: gateway, epoch ms, unit, function, address, count). */
export function pollsOfLog(file: string): SeenPoll[] {
  const polls: SeenPoll[] = [];
  // The last line may be half written.
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const [gatewayId = '', at, , , address] = line.split(' ');
    if (Number(address) === firstAddress) polls.push({ gatewayId, atMs: Number(at) });
  }
  return polls;
}

export interface PollVerdict {
  slots_due: number;
  polls: number;
  polls_per_s: number;
  late: { p50_ms: number; p99_ms: number; max_ms: number } | null;
  /** Due slots in which the gateway was not polled. */
  lost: number;
  /** Polls beyond the first of a slot. */
  doubled: number;
}

/** The grid on which every engine is told to poll. */
export function gridOf(gatewayId: string, intervalMs: number): Grid {
  return { intervalMs, phaseMs: phaseMs(gatewayId, intervalMs) };
}

/** @param window slots with `fromMs` ≤ slot < `toMs`, whose intervals have all ended. */
export function judgePolls(
  polls: readonly SeenPoll[],
  gatewayIds: readonly string[],
  { fromMs, toMs, intervalMs }: { fromMs: number; toMs: number; intervalMs: number },
): PollVerdict {
  const bySlot = new Map<string, number[]>();
  for (const { gatewayId, atMs } of polls) {
    const slotMs = lastSlotAtOrBefore(gridOf(gatewayId, intervalMs), atMs);
    if (slotMs < fromMs || slotMs >= toMs) continue;
    const key = `${gatewayId} ${slotMs}`;
    bySlot.set(key, [...(bySlot.get(key) ?? []), atMs - slotMs]);
  }
  let due = 0;
  let lost = 0;
  let doubled = 0;
  const lateMs: number[] = [];
  for (const gatewayId of gatewayIds) {
    const grid = gridOf(gatewayId, intervalMs);
    for (let at = nextSlotAfter(grid, fromMs - 1); at < toMs; at += intervalMs) {
      due += 1;
      const seen = bySlot.get(`${gatewayId} ${at}`) ?? [];
      const [first] = seen;
      if (first === undefined) lost += 1;
      else lateMs.push(first);
      doubled += Math.max(0, seen.length - 1);
    }
  }
  lateMs.sort((a, b) => a - b);
  const at = (share: number) =>
    lateMs[Math.min(lateMs.length - 1, Math.floor(share * lateMs.length))] ?? 0;
  return {
    slots_due: due,
    polls: lateMs.length,
    polls_per_s: Math.round((lateMs.length / (toMs - fromMs)) * 10_000) / 10,
    late: lateMs.length === 0 ? null : { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) },
    lost,
    doubled,
  };
}
