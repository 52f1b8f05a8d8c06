import { fnv1a32 } from '../../domain/slots.ts';

/** Draws the answers of the bench's vendor from a seed, so that both engines meet the same vendor. */

/** ORDINARY: slow now and then, hangs, refuses. CALM: the same latency, nothing else. STEADY: always `ms`. */
export type VendorTemper = { kind: 'ORDINARY' | 'CALM' } | { kind: 'STEADY'; ms: number };

export interface VendorMood {
  kind: 'ANSWER' | 'HANG' | 'RATE_LIMIT';
  /** Until the answer or the refusal; meaningless for HANG. */
  latencyMs: number;
}

/** Latency as README.md describes it: half of the answers within 80 ms, one in a hundred after more than 900 ms. */
const p50Ms = 80;
const p99Ms = 900;
const hangShare = 0.01;
const rateLimitShare = 0.01;
/** The 99th percentile of the standard normal distribution. */
const z99 = 2.3263478740408408;
const sigma = Math.log(p99Ms / p50Ms) / z99;

/** `key` names the request: which plant, which start of the worker, which call of it. */
export function drawMood(temper: VendorTemper, seed: number, key: string): VendorMood {
  if (temper.kind === 'STEADY') return { kind: 'ANSWER', latencyMs: temper.ms };
  const next = generator(fnv1a32(`${seed}/${key}`));
  const share = next();
  const latencyMs = p50Ms * Math.exp(sigma * standardNormal(next));
  if (temper.kind === 'CALM') return { kind: 'ANSWER', latencyMs };
  if (share < hangShare) return { kind: 'HANG', latencyMs };
  if (share < hangShare + rateLimitShare) return { kind: 'RATE_LIMIT', latencyMs };
  return { kind: 'ANSWER', latencyMs };
}

/** Box and Muller's transform. */
function standardNormal(next: () => number): number {
  // 1 − u is never 0.
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** mulberry32: numbers in [0, 1) from 32 bits of seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
