import { rows } from './rows.ts';
import type { RowResult } from './run.ts';
import { type Engine, engines } from './supervisor.ts';

/** The content of the file of --json: all figures of a bench. */
export interface Report {
  measured_at: string;
  minutes: number;
  runs: number;
  seed: number;
  is_quick: boolean;
  versions: {
    heliograph: string;
    bullmq: string;
    temporal_sdk: string;
    node: string;
    postgresql: string;
    redis: string;
    cpu: string;
    cores: number;
  };
  results: RowResult[];
}

const engineTitles: Record<Engine, string> = {
  heliograph: 'Heliograph',
  bullmq: 'BullMQ',
  'bullmq-hardened': 'BullMQ, hardened by hand',
};

/** One figure of a row. */
interface Measure {
  title: string;
  /** null: not measured in this run. */
  of: (result: RowResult) => number | null;
  better: 'LESS' | 'MORE';
  digits: number;
  /** A smaller difference does not count, whatever its share. */
  noise: number;
}

const count = { better: 'LESS', digits: 0, noise: 1 } as const;
const lateMs = { better: 'LESS', digits: 0, noise: 20 } as const;

const measures: readonly Measure[] = [
  {
    title: 'polls/s',
    of: (result) => result.answers_per_s,
    better: 'MORE',
    digits: 1,
    noise: 0.5,
  },
  {
    title: 'CPU ms a poll, machine',
    of: (result) => result.cpu_ms_per_poll?.machine ?? null,
    better: 'LESS',
    digits: 1,
    noise: 0.5,
  },
  {
    title: 'CPU ms a poll, processes',
    of: (result) => result.cpu_ms_per_poll?.processes ?? null,
    better: 'LESS',
    digits: 1,
    noise: 0.5,
  },
  { title: 'late p50, ms', of: (result) => result.lateness?.p50_ms ?? null, ...lateMs },
  { title: 'late p99, ms', of: (result) => result.lateness?.p99_ms ?? null, ...lateMs },
  { title: 'late max, ms', of: (result) => result.lateness?.max_ms ?? null, ...lateMs },
  { title: 'slots due', of: (result) => result.slots_due, ...count, noise: Infinity },
  { title: 'polled late', of: (result) => result.polled_late, ...count },
  { title: 'not polled, said so', of: (result) => result.recorded, ...count, noise: Infinity },
  { title: 'lost', of: (result) => result.lost, ...count },
  { title: 'doubled', of: (result) => result.doubled, ...count },
  { title: 'overlapping', of: (result) => result.overlapping, ...count },
];

/** Rows with a fault, in which a null recovery means "never". */
const isFaulty = (name: string) => rows.find((row) => row.name === name)?.fault != null;
/** Longer than any row; represents "never" in medians. */
const neverMs = Number.MAX_SAFE_INTEGER;

const recovery: Measure = {
  title: 'recovery, s',
  of: ({ row, recovery_ms: ms }) => (isFaulty(row) ? (ms ?? neverMs) / 1_000 : null),
  better: 'LESS',
  digits: 1,
  noise: 0.5,
};

const drift: Measure = { title: 'drift, ms', of: (result) => result.drift_ms, ...lateMs };

const allMeasures = [...measures, recovery, drift];

/** The figures of the digest with their units. */
const digestMeasures: readonly (readonly [Measure['title'], string])[] = [
  ['polls/s', 'polls/s'],
  ['CPU ms a poll, machine', 'ms CPU a poll'],
  ['late p99, ms', 'ms late (p99)'],
  ['lost', 'lost'],
  ['doubled', 'doubled'],
  ['overlapping', 'overlapping'],
  ['recovery, s', 's to recover'],
  ['drift, ms', 'ms drift'],
];
/** Rows with more plants than can be polled: they show throughput, not lateness. */
const throughputRows: readonly string[] = ['sustained', 'overload'];

/** The digest: a line for each row, a column for each engine; the better figure is bold. */
export function digestMarkdown({ results, ...report }: Report): string {
  const { versions } = report;
  const lines = rows.flatMap(({ name, title }) => {
    const own = results.filter((result) => result.row === name);
    if (own.length === 0) return [];
    const cells = engines.map((engine) => digestCell(own, engine));
    return [`| ${[title, ...cells].join(' | ')} |`];
  });
  return [
    `BullMQ ${versions.bullmq} on ${versions.cores} cores, ${versions.cpu}, ${report.measured_at.slice(0, 10)}; ${runsText(report)}; bold marks the better of Heliograph and BullMQ, when it is better by more than a tenth and in every run:`,
    '',
    `| ${['', ...engines.map((engine) => engineTitles[engine])].join(' | ')} |`,
    `| ${['', ...engines].map(() => '---').join(' | ')} |`,
    ...lines,
    '',
  ].join('\n');
}

/** @param results of one row, by every engine. */
function digestCell(results: readonly RowResult[], engine: Engine): string {
  const own = ofEngine(results, engine);
  if (own.length === 0) return '–';
  const isThroughput = throughputRows.includes(own[0]?.row ?? '');
  return digestMeasures
    .filter(([title]) => title !== (isThroughput ? 'late p99, ms' : 'polls/s'))
    .flatMap(([title, unit]) => {
      const measure = measureOf(title);
      const figure = figureText(measure, own);
      if (figure === '') return [];
      const text = figure === 'never' ? 'never recovers' : `${figure} ${unit}`;
      return betterOf(measure, results) === engine ? `**${text}**` : text;
    })
    .join('; ');
}

function measureOf(title: string): Measure {
  const measure = allMeasures.find((one) => one.title === title);
  if (measure === undefined) throw new Error(`there is no measure ${title}`);
  return measure;
}

function ofEngine(results: readonly RowResult[], engine: Engine): RowResult[] {
  return results.filter((result) => result.engine === engine);
}

function runsText({ runs }: Pick<Report, 'runs'>): string {
  return runs === 1 ? 'one run' : `${runs} runs: median (least – most)`;
}

/** The report for people: the table, and the figures in which either engine is better. */
export function reportMarkdown(report: Report): string {
  const { versions } = report;
  const header = ['', 'engine', ...allMeasures.map(({ title }) => title)];
  const lines = groups(report.results).map(({ title, engine, results }) => [
    title,
    engineTitles[engine],
    ...allMeasures.map((measure) => figureText(measure, results)),
  ]);
  const table = [header, header.map((_, n) => (n < 2 ? '---' : '---:')), ...lines];
  return [
    `${report.is_quick ? '**A trial with --quick: its figures mean nothing.** ' : ''}Measured ${report.measured_at.slice(0, 10)} in ${report.minutes} min, ${runsText(report)}, seed ${report.seed}: Heliograph ${versions.heliograph} (Temporal SDK ${versions.temporal_sdk}), BullMQ ${versions.bullmq}, Node ${versions.node}, PostgreSQL ${versions.postgresql}, Redis ${versions.redis}, ${versions.cores} × ${versions.cpu}. How: [bench/rival](../bench/rival/README.md).`,
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    ...comparisonLines(report.results),
    '',
  ].join('\n');
}

interface Group {
  row: string;
  title: string;
  engine: Engine;
  results: RowResult[];
}

/** All runs of a row by one engine, in the order of the rows. */
function groups(results: readonly RowResult[]): Group[] {
  return rows.flatMap(({ name, title }) =>
    engines.flatMap((engine): Group[] => {
      const own = results.filter((result) => result.row === name && result.engine === engine);
      return own.length === 0 ? [] : [{ row: name, title, engine, results: own }];
    }),
  );
}

function valuesOf(measure: Measure, results: readonly RowResult[]): number[] {
  return results.flatMap((result) => measure.of(result) ?? []).toSorted((a, b) => a - b);
}

/** The median; for an even number of values the mean of the middle two. */
export function median(sorted: readonly number[]): number | null {
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function figureText(measure: Measure, results: readonly RowResult[]): string {
  const values = valuesOf(measure, results);
  const middle = median(values);
  if (middle === null) return '';
  const text = (value: number) =>
    value >= neverMs / 2_000 ? 'never' : value.toFixed(measure.digits);
  const [least, most] = [values[0] ?? middle, values.at(-1) ?? middle];
  return least === most ? text(middle) : `${text(middle)} (${text(least)} – ${text(most)})`;
}

/** The share by which a median must be better to count. */
const betterShare = 0.1;

/**
 * The better engine in a figure of a row, Heliograph or BullMQ as documented: its median is better, and its worst run is better
 * than the other's best.
 *
 * @param results of one row, by every engine.
 */
function betterOf(measure: Measure, results: readonly RowResult[]): 'heliograph' | 'bullmq' | null {
  const ours = valuesOf(measure, ofEngine(results, 'heliograph'));
  const theirs = valuesOf(measure, ofEngine(results, 'bullmq'));
  const [ourMedian, theirMedian] = [median(ours), median(theirs)];
  if (ourMedian === null || theirMedian === null) return null;
  const isOursLess = ourMedian < theirMedian;
  const [low, high] = isOursLess ? [ours, theirs] : [theirs, ours];
  const [less, more] = [Math.min(ourMedian, theirMedian), Math.max(ourMedian, theirMedian)];
  if (more - less < measure.noise || less > more * (1 - betterShare)) return null;
  if ((low.at(-1) ?? less) >= (high[0] ?? more)) return null;
  return (measure.better === 'LESS') === isOursLess ? 'heliograph' : 'bullmq';
}

/** Lists the figures in which either of the two is better. */
function comparisonLines(results: readonly RowResult[]): string[] {
  const section = (winner: 'heliograph' | 'bullmq') => {
    const loser = winner === 'bullmq' ? 'heliograph' : 'bullmq';
    const lines = rows.flatMap(({ name, title }) => {
      const own = results.filter((result) => result.row === name);
      return allMeasures
        .filter((measure) => betterOf(measure, own) === winner)
        .map(
          (measure) =>
            `- ${title}: ${measure.title} ${figureText(measure, ofEngine(own, winner))} against ${figureText(measure, ofEngine(own, loser))}`,
        );
    });
    return [
      `${engineTitles[winner]} is better by more than a tenth, and in every run, in:`,
      '',
      ...(lines.length === 0 ? ['- nothing'] : lines),
    ];
  };
  return [...section('bullmq'), '', ...section('heliograph')];
}
