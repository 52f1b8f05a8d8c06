import type { OpenAdapter } from './vendor.ts';
import type { FixtureAdapterOptions } from '../../adapters/clouds/registry.ts';
import type { Db } from '../../db/database.ts';
import { findDemoOutages } from '../../db/plants/demo-outages.ts';
import type { Brand } from '../../domain/plants/plant.ts';

/** What is known of outages is no older than this when a vendor is asked; nobody waits for the reading. */
export const outagesReadEveryMs = 1_000;

type Open = (options: FixtureAdapterOptions) => ReturnType<OpenAdapter>;

/**
 * Recorded vendors that `heliograph demo break` can take away. The outages are read once at the start, then beside the
 * polls, at most once a second and only while polls go on.
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
