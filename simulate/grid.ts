/** Computes slots a second time, independent of `domain/`: phase + n × interval, phase = FNV-1a-32(plant id) mod interval. */

const offsetBasis = 2_166_136_261n;
const prime = 16_777_619n;

const hashes = new Map<string, number>();

export function hashOf(plantId: string): number {
  const known = hashes.get(plantId);
  if (known !== undefined) return known;
  let hash = offsetBasis;
  for (const byte of new TextEncoder().encode(plantId))
    hash = ((hash ^ BigInt(byte)) * prime) & 0xffff_ffffn;
  hashes.set(plantId, Number(hash));
  return Number(hash);
}

/** The first slot at or after `atMs`. */
export function firstSlotFrom(plantId: string, intervalMs: number, atMs: number): number {
  const phaseMs = hashOf(plantId) % intervalMs;
  return Math.ceil((atMs - phaseMs) / intervalMs) * intervalMs + phaseMs;
}
