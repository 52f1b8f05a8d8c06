import type { OpenAdapter } from './vendor.ts';
import type { FixtureAdapterOptions } from '../../adapters/clouds/registry.ts';
import type { Db } from '../../db/database.ts';
import { findDemoOutages } from '../../db/plants/demo-outages.ts';
import type { Brand } from '../../domain/plants/plant.ts';

/** How often the outages are read while vendors are asked, ms. No poll waits for that. */
export const outagesReadEveryMs = 1_000;

type Open = (options: FixtureAdapterOptions) => ReturnType<OpenAdapter>;

/**
 * Recorded vendors that `heliograph demo break` can take away. The outages are read once at the start, then at most once a
 * second and only while vendors are asked.
 */
export async function withDemoOutages(
  open: Open,
  db: Db,
  onError: () => void,
): Promise<OpenAdapter> {
  let untilMs = new Map<Brand, number>();
  let readAtMs = -Infinity;
  const read = async () => {
    readAtMs = performance.now();
    const outages = await findDemoOutages(db);
    untilMs = new Map(outages.map(({ brand, until_at }) => [brand, until_at.getTime()]));
  };
  await read();
  return (options) => {
    if (performance.now() - readAtMs >= outagesReadEveryMs) read().catch(onError);
    const isAway = (untilMs.get(options.brand) ?? 0) > options.now.getTime();
    return open({ ...options, isAway });
  };
}
