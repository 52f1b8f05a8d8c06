import { parentPort } from 'node:worker_threads';

import { runSeed } from './run.ts';

/** Plays seeds in a thread, a batch at a time. */

export interface Batch {
  seeds: string[];
  days: number;
}

parentPort?.on('message', (batch: Batch) => void live(batch));

async function live({ seeds, days }: Batch): Promise<void> {
  const results = [];
  for (const seed of seeds) results.push(await runSeed(seed, days));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  parentPort?.postMessage(results);
}
