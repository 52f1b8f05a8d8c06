import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { runBench, say, UsageError, wholeNumber } from './command.ts';
import { type Step, steps } from './steps-taken.ts';

/**
 * `npm run bench:steps -- [--only NAME,NAME] [--runs N] [--profile throughput|punctual] [--json FILE]`: measures what each optimisation
 * of the loop is worth. Copies of the product, each with one edit of `steps-taken.ts`, run `npm run bench` in turn, with
 * unchanged copies between them; every second run goes backwards. Needs an otherwise idle machine, and 90 s for each copy.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
const profiles = {
  /** More plants than can be polled: shows the cost of a poll, over two runs of each loop, so that each includes its continue-as-new. */
  throughput: ['--plants', '300', '--polls', '32', '--interval', '1'],
  /** 16.7 polls/s: shows lateness. */
  punctual: ['--plants', '250', '--polls', '4', '--interval', '15'],
} as const;
type Profile = keyof typeof profiles;
/** An unchanged copy follows this number of changed ones. */
const changedInARow = 3;
const leftOut = new Set(['node_modules', '.git', '.data']);

interface Measured {
  polls_per_s: number;
  lateness: { p50_ms: number; p99_ms: number } | null;
  database_waits_per_poll: number;
  cpu_ms_per_poll: Record<'worker' | 'temporal' | 'postgresql' | 'machine', number | null>;
  violations: number;
}

interface Round {
  /** null: the product as it is. */
  step: string | null;
  result: Measured;
}

export interface StepsReport {
  measured_at: string;
  profile: Profile;
  rounds: Round[];
}

interface Arguments {
  profile: Profile;
  runs: number;
  chosen: readonly Step[];
  jsonFile: string | null;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      runs: { type: 'string', default: '1' },
      profile: { type: 'string', default: 'throughput' },
      json: { type: 'string' },
    },
  });
  const names = values.only?.split(',') ?? steps.map(({ name }) => name);
  const { profile } = values;
  if (profile !== 'throughput' && profile !== 'punctual')
    throw new UsageError(`--profile must be throughput or punctual, not ${profile}`);
  return {
    profile,
    runs: wholeNumber('runs', values.runs, 99),
    chosen: names.map((name) => {
      const step = steps.find((one) => one.name === name);
      if (step !== undefined) return step;
      throw new UsageError(
        `there is no step ${name}, only ${steps.map((each) => each.name).join(', ')}`,
      );
    }),
    jsonFile: values.json ?? null,
  };
}

/** A copy of the working tree with the step's edits, and the same dependencies. */
function copyWith(step: Step | null, scratch: string): string {
  const copy = mkdtempSync(join(scratch, 'copy-'));
  cpSync(root, copy, {
    recursive: true,
    filter: (path) => !leftOut.has(path.slice(root.length).split('/')[0] ?? ''),
  });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, from, to } of step?.edits ?? []) {
    const path = join(copy, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from))
      throw new Error(`${file} has no ${from} any more: mend steps-taken.ts`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return copy;
}

async function measure(
  step: Step | null,
  { profile, scratch, signal }: { profile: Profile; scratch: string; signal: AbortSignal },
): Promise<Measured> {
  const copy = copyWith(step, scratch);
  const jsonFile = join(copy, 'bench.json');
  const child = spawn(
    process.execPath,
    ['bench/bench.ts', ...profiles[profile], '--json', jsonFile],
    { cwd: copy, stdio: ['ignore', 'ignore', 'ignore'], detached: true },
  );
  const end = () => child.kill('SIGTERM');
  signal.addEventListener('abort', end, { once: true });
  try {
    await once(child, 'exit');
  } finally {
    signal.removeEventListener('abort', end);
  }
  signal.throwIfAborted();
  if (!existsSync(jsonFile)) throw new Error(`the bench of ${step?.name ?? 'no step'} failed`);
  const result = JSON.parse(readFileSync(jsonFile, 'utf8')) as Measured;
  rmSync(copy, { recursive: true });
  return result;
}

async function benchSteps(args: Arguments, signal: AbortSignal): Promise<StepsReport> {
  const { profile, runs, chosen } = args;
  const scratch = mkdtempSync(join(tmpdir(), 'heliograph-steps-'));
  const rounds: Round[] = [];
  try {
    for (let run = 1; run <= runs; run += 1) {
      const order: (Step | null)[] = [null];
      for (const [n, step] of (run % 2 === 1 ? chosen : chosen.toReversed()).entries()) {
        order.push(step);
        if ((n + 1) % changedInARow === 0 || n === chosen.length - 1) order.push(null);
      }
      for (const [n, step] of order.entries()) {
        const result = await measure(step, { profile, scratch, signal });
        rounds.push({ step: step?.name ?? null, result });
        say(
          `run ${run} of ${runs}, ${n + 1} of ${order.length}, ${step?.name ?? 'as it is'}: ${result.polls_per_s} polls/s, ${result.cpu_ms_per_poll.machine} ms a poll`,
        );
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { measured_at: new Date().toISOString(), profile, rounds };
}

/** One figure of some rounds: the median, and the range where there are several. */
function figure(results: readonly Measured[], of: (result: Measured) => number | null): string {
  const sorted = results.map((each) => of(each) ?? 0).toSorted((a, b) => a - b);
  const [least, middle, most] = [0, Math.floor(sorted.length / 2), sorted.length - 1].map(
    (n) => sorted[n] ?? 0,
  );
  return least === most ? String(middle) : `${middle} (${least} – ${most})`;
}

/** The table: the unchanged product, then each edit. */
export function stepsMarkdown({ rounds, profile }: StepsReport): string {
  const head = [
    'the loop',
    'polls/s',
    'CPU ms a poll: machine',
    'worker',
    'Temporal',
    'PostgreSQL',
    'waits for PostgreSQL',
    'late p99, ms',
  ];
  const row = (title: string, name: string | null) => {
    const results = rounds.filter(({ step }) => step === name).map(({ result }) => result);
    const cpu = (part: keyof Measured['cpu_ms_per_poll']) =>
      figure(results, (result) => result.cpu_ms_per_poll[part]);
    return [
      title,
      figure(results, (result) => result.polls_per_s),
      cpu('machine'),
      cpu('worker'),
      cpu('temporal'),
      cpu('postgresql'),
      figure(results, (result) => result.database_waits_per_poll),
      figure(results, (result) => result.lateness?.p99_ms ?? null),
    ];
  };
  const measured = steps.filter(({ name }) => rounds.some(({ step }) => step === name));
  const lines = [
    row('**as it is**', null),
    ...measured.map(({ name, is, title }) =>
      row(is === 'KEPT' ? `not: ${title}` : `also: ${title}`, name),
    ),
  ];
  return [
    `\`npm run bench -- ${profiles[profile].join(' ')}\``,
    '',
    ...[head, head.map((_, n) => (n === 0 ? '---' : '---:')), ...lines].map(
      (cells) => `| ${cells.join(' | ')} |`,
    ),
    '',
  ].join('\n');
}

if (import.meta.main)
  await runBench(
    'bench:steps',
    async (signal) => {
      const args = readArguments();
      return { result: await benchSteps(args, signal), jsonFile: args.jsonFile };
    },
    stepsMarkdown,
    ({ rounds }) => rounds.every(({ result }) => result.violations === 0),
  );
