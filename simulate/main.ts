import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

import { runSeed, sentencesOf, type SeedResult } from './run.ts';
import type { Batch } from './thread.ts';

/**
 * `npm run simulate -- --seeds N --days D [--seed S] [--json]`: plays lives of plants with the product's rules and adapters
 * on a virtual clock. Exits with 1 where an invariant is broken; the same seed breaks it again.
 */

const usage =
  'usage: npm run simulate -- [--seeds N] [--days D] [--seed S] [--stop-at-first] [--json]';

const seedsDefault = 200;
const daysDefault = 30;
/** A shorter life has no days to compare with. */
const daysMin = 3;
/** Number of seeds that a thread takes at a time: few, so that all threads end together. */
const seedsPerBatch = 2;

interface Options {
  seeds: string[];
  days: number;
  stopsAtFirst: boolean;
  json: boolean;
}

/** @returns null for options that make no sense. */
function readOptions(argv: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seeds: { type: 'string', default: String(seedsDefault) },
        days: { type: 'string', default: String(daysDefault) },
        seed: { type: 'string' },
        'stop-at-first': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [count, days] = [Number(values.seeds), Number(values.days)];
    if (!Number.isInteger(count) || count < 1 || !Number.isInteger(days) || days < daysMin)
      return null;
    const seeds =
      values.seed === undefined
        ? Array.from({ length: count }, (_, index) => String(index + 1))
        : [values.seed];
    return { seeds, days, stopsAtFirst: values['stop-at-first'], json: values.json };
  } catch {
    return null;
  }
}

/** All seeds, in as many threads as the machine has processors. */
async function runAll(
  { seeds, days, stopsAtFirst }: Options,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  if (seeds.length === 1) return onResult(await runSeed(seeds[0] ?? '', days));
  const rest = [...seeds];
  const threads = Math.min(availableParallelism(), rest.length);
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const thread = new Worker(new URL('./thread.ts', import.meta.url));
      try {
        while (rest.length > 0) {
          const batch: Batch = { seeds: rest.splice(0, seedsPerBatch), days };
          const results = await answerOf(thread, batch);
          for (const result of results) onResult(result);
          if (stopsAtFirst && results.some(({ violation }) => violation !== null)) rest.length = 0;
        }
      } finally {
        await thread.terminate();
      }
    }),
  );
}

/** @throws the error that ends the thread. */
async function answerOf(thread: Worker, batch: Batch): Promise<SeedResult[]> {
  const answer = once(thread, 'message') as Promise<[SeedResult[]]>;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  thread.postMessage(batch);
  return (await answer)[0];
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const beganAt = performance.now();
  const results: SeedResult[] = [];
  await runAll(options, (result) => {
    results.push(result);
    if (!options.json) for (const line of sentencesOf(result)) process.stdout.write(`${line}\n`);
  });
  const seconds = (performance.now() - beganAt) / 1_000;
  const sum = (count: (result: SeedResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  const failed = results.filter(({ violation }) => violation !== null);
  const plantDays = sum(({ plants, days }) => plants * days);
  const report = {
    seeds: results.length,
    days: options.days,
    plant_days: plantDays,
    polls: sum(({ polls }) => polls),
    closings: sum(({ closings }) => closings),
    vendor_requests: sum(({ requests }) => requests),
    beyond_guards: sum(({ beyondGuards }) => beyondGuards),
    seconds: Number(seconds.toFixed(1)),
    plant_days_per_minute: Math.round((plantDays * 60) / seconds),
    violations: failed.map(({ seed, violation }) => ({
      seed,
      plant_id: violation?.plantId,
      message: violation?.message,
      trace: violation?.trace,
    })),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else
    process.stdout.write(
      `${report.seeds} seeds × ${report.days} days: ${plantDays} plant-days, ${report.polls} polls, ${report.closings} closings, ${report.vendor_requests} vendor requests in ${report.seconds} s (${report.plant_days_per_minute} plant-days a minute); ${report.beyond_guards} false values that no guard can detect; ${failed.length === 0 ? 'every invariant held' : `${failed.length} seeds broke an invariant`}\n`,
    );
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
