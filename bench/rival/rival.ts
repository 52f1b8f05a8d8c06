import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { runBench, say, UsageError, wholeNumber, writeJson } from '../command.ts';
import type { Arena } from './arena.ts';
import { installRival } from './install.ts';
import { reportMarkdown, type Report } from './report.ts';
import { type Row, rows } from './rows.ts';
import { runRow, type RowResult } from './run.ts';
import { type Engine, engines } from './supervisor.ts';

/**
 * `npm run bench:rival -- [--runs N] [--only ROW[,ROW]] [--engine NAME] [--quick] [--seed S] [--json FILE]`: runs Heliograph and a
 * BullMQ worker, one after the other, on servers of their own over the same vendor. Prints Markdown. bench/rival/README.md
 * explains the method.
 */

const seedDefault = 1;
/** --quick: these rows for a part of their time. It shows that everything works; its figures mean nothing. */
const quickRows = ['baseline', 'slow'];
const quickPart = 0.3;
const quickEngines = 2;
/** Runs only once: it lasts as long as all other rows together and hardly varies. */
const onceRow = 'drift';

interface Arguments {
  runs: number;
  rows: readonly Row[];
  seed: number;
  isQuick: boolean;
  jsonFile: string | null;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      only: { type: 'string', multiple: true },
      seed: { type: 'string', default: String(seedDefault) },
      engine: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const names = values.only?.flatMap((text) => text.split(',')) ?? null;
  for (const name of names ?? []) {
    if (!rows.some((row) => row.name === name))
      throw new UsageError(
        `there is no row ${name}, only ${rows.map((row) => row.name).join(', ')}`,
      );
  }
  const chosen = names ?? (values.quick ? quickRows : rows.map((row) => row.name));
  for (const name of values.engine ?? []) {
    if (!engines.some((engine) => engine === name))
      throw new UsageError(`there is no engine ${name}, only ${engines.join(', ')}`);
  }
  const enginesOf = (row: Row) =>
    row.engines.filter(
      (engine, n) => values.engine?.includes(engine) ?? (n < quickEngines || !values.quick),
    );
  return {
    runs: wholeNumber('runs', values.runs, 100),
    rows: rows
      .filter(({ name }) => chosen.includes(name))
      .map((row) => ({ ...row, engines: enginesOf(row) })),
    seed: wholeNumber('seed', values.seed, 2 ** 31),
    isQuick: values.quick,
    jsonFile: values.json ?? null,
  };
}

function versionOf(file: string): string {
  return (JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as { version: string })
    .version;
}

async function bench(args: Arguments, signal: AbortSignal): Promise<Report> {
  const beganAt = performance.now();
  const results: RowResult[] = [];
  const servers: Arena['versions'][] = [];
  const report = (runs: number): Report => {
    const last = servers.at(-1);
    if (last === undefined) throw new Error('nothing was measured');
    return {
      measured_at: new Date().toISOString(),
      minutes: Math.round((performance.now() - beganAt) / 6_000) / 10,
      runs,
      seed: args.seed,
      is_quick: args.isQuick,
      versions: readVersions(last),
      results,
    };
  };
  for (let run = 1; run <= args.runs; run += 1) {
    const sustained = new Map<Engine, number>();
    const one = async (row: Row, engine: Engine) => {
      say(`run ${run} of ${args.runs}, ${row.name}: ${engine}`);
      const { result, versions } = await runRow(row, engine, {
        seed: args.seed + run - 1,
        sustained,
        signal,
        watchPart: args.isQuick ? quickPart : 1,
      });
      if (row.name === 'sustained') sustained.set(engine, result.answers_per_s);
      say(`  ${JSON.stringify(result)}`);
      results.push(result);
      servers.push(versions);
    };
    for (const row of args.rows) {
      if (row.name === onceRow && run > 1) continue;
      // The second engine finds warmer file caches, so the order alternates.
      const order = run % 2 === 1 ? row.engines : row.engines.toReversed();
      if (row.isTogether === true) await allOf(order.map((engine) => one(row, engine)));
      else for (const engine of order) await one(row, engine);
    }
    // An error in a bench of hours does not discard the complete runs.
    if (args.jsonFile !== null) writeJson(args.jsonFile, report(run));
  }
  return report(args.runs);
}

function readVersions({ postgresql, redis }: Arena['versions']): Report['versions'] {
  return {
    heliograph: versionOf('../../package.json'),
    bullmq: versionOf('./node_modules/bullmq/package.json'),
    temporal_sdk: versionOf('../../node_modules/@temporalio/worker/package.json'),
    node: process.versions.node,
    postgresql,
    redis,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
}

/** Waits for all of them, so that nothing keeps running, then throws the first failure. */
async function allOf(ones: readonly Promise<void>[]): Promise<void> {
  for (const ending of await Promise.allSettled(ones)) {
    if (ending.status === 'rejected') throw ending.reason;
  }
}

await runBench(
  'bench:rival',
  async (signal) => {
    const args = readArguments();
    installRival();
    return { result: await bench(args, signal), jsonFile: null };
  },
  reportMarkdown,
  () => true,
);
