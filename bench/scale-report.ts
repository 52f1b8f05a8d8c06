import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { readFigures, type ScaleFigures } from './scale.ts';
import { type Restart, returnOf } from './scale-restart.ts';

/** `npm run bench:scale:report`: writes the tables of docs/scale.md from docs/scale.json. */

const jsonPath = fileURLToPath(new URL('../docs/scale.json', import.meta.url));
const pagePath = fileURLToPath(new URL('../docs/scale.md', import.meta.url));

/** Fleets too large for one machine: their figures are calculated, not measured. */
const projected = [100_000, 1_000_000];
const projectedIntervalS = 600;
const slotsPerYear = (365 * 86_400) / projectedIntervalS;
const retentionDays = 90;
const monthDaysMax = 31;
/** A shard's writes follow one another: at 5 ms each it does 200/s, of which a tenth leaves timers room to be punctual. */
const shardTransitionsPerS = 20;
/** Lock and release of a poll, including the check that the lock is still ours. */
const redisCallsPerPoll = 2;
/** Share of a continue-as-new in each of the sixteen polls of its run; a short measurement has few of them. */
const continueAsNewTransitions = 4 / 16;
/** Retention of ended runs. */
const temporalRetentionHours = 24;
/** Half a core stays free for catching up after an outage. */
const coreShare = 0.5;

type Size = ScaleFigures['sizes'][number];
type Table = readonly (readonly string[])[];

function tableOf(head: readonly string[], rows: Table): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('');
}

const count = (value: number) => Math.round(value).toLocaleString('en');
const ms = (value: number | null | undefined) =>
  value === null || value === undefined ? '–' : value.toFixed(1);
const nameOf = ({ plants, cached_per_queue: cached }: Size) =>
  cached === null ? count(plants) : `${count(plants)}, cache of ${count(4 * cached)}`;
const bytesText = (bytes: number) => {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1_000 && unit < units.length - 1; unit += 1) value /= 1_000;
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
};

/** Resident memory of a cached loop, MB: the slope between the smallest and the largest fleet that fits the cache. */
function loopMb(sizes: readonly Size[]): number | null {
  const fitting = sizes.filter((size) => size.cached_per_queue === null);
  const [small, large] = [fitting[0], fitting.at(-1)];
  if (small === undefined || large === undefined || small === large) return null;
  return (large.worker_rss_mb.after - small.worker_rss_mb.after) / (large.plants - small.plants);
}

function costs({ sizes }: ScaleFigures): string {
  return tableOf(
    [
      'plants',
      'interval',
      'polls/s',
      'worker',
      'Temporal',
      'PostgreSQL',
      'Redis',
      'the whole machine',
      'late p50',
      'late p99',
      'waits for PostgreSQL',
      'events, transitions, history a poll',
    ],
    sizes.map((size) => [
      nameOf(size),
      `${count(size.interval_s)} s`,
      String(size.polls_per_s),
      `${ms(size.cpu_ms_per_poll.worker)} ms`,
      `${ms(size.cpu_ms_per_poll.temporal)} ms`,
      `${ms(size.cpu_ms_per_poll.postgresql)} ms`,
      `${ms(size.cpu_ms_per_poll.redis)} ms`,
      `${ms(size.cpu_ms_per_poll.machine)} ms`,
      `${count(size.lateness?.p50_ms ?? 0)} ms`,
      `${count(size.lateness?.p99_ms ?? 0)} ms`,
      size.database_waits_per_poll.toFixed(1),
      `${size.history_per_poll.events.toFixed(1)}, ${size.history_per_poll.transitions.toFixed(1)}, ${bytesText(size.history_per_poll.bytes)}`,
    ]),
  );
}

function memory({ sizes }: ScaleFigures): string {
  const perLoop = loopMb(sizes);
  return `${tableOf(
    [
      'plants',
      'worker, no loop yet',
      'worker, all loops',
      'Temporal',
      "Temporal's file, a loop",
      'loops started in',
      'all have begun after',
      'reconciliation, longest',
    ],
    sizes.map((size) => [
      nameOf(size),
      `${count(size.worker_rss_mb.empty)} MB`,
      `${count(size.worker_rss_mb.after)} MB`,
      `${count(size.temporal_rss_mb ?? 0)} MB`,
      bytesText(size.temporal_db_bytes / size.plants),
      `${count(size.loops_started_s)} s`,
      `${count(size.loops_begun_s)} s${size.loops_begun_as === 'FIRST' ? ', each looking at its plant' : ''}`,
      `${Math.max(0, ...size.reconciliations_s).toFixed(1)} s`,
    ]),
  )}${perLoop === null ? '' : `\nA cached loop takes ${count(perLoop * 1_000)} KB of the worker, by the difference between the smallest and the largest fleet.\n`}`;
}

function restarts({ sizes }: ScaleFigures): string {
  return tableOf(
    [
      'plants',
      'interval',
      'ended by',
      'new worker polls after',
      'on its slots again after',
      'which is below',
      'backlog at most, in the end',
      'first polls, worker and Temporal CPU of each',
      'late p99 of all',
    ],
    sizes.flatMap((size) =>
      size.restarts.map((restart) => [
        nameOf(size),
        `${count(size.interval_s)} s`,
        restart.signal,
        `${restart.started_after_s.toFixed(1)} s`,
        backText(restart),
        `${count(restart.late_limit_ms)} ms`,
        `${restart.backlog_max}, ${restart.backlog_at_end}`,
        `${count(restart.polls)}, ${ms(restart.cpu_ms_per_poll.worker)} and ${ms(restart.cpu_ms_per_poll.temporal)} ms`,
        `${count(restart.lateness?.p99_ms ?? 0)} ms`,
      ]),
    ),
  );
}

function backText(restart: Restart): string {
  const { backAfterS, lateAgain, looks, worstMs } = returnOf(restart);
  if (backAfterS === null) return 'longer than watched';
  const again = `; late again at ${lateAgain} of ${looks} looks, ${count(worstMs)} ms at most`;
  return `${backAfterS.toFixed(0)} s${lateAgain === 0 ? '' : again}`;
}

/** Bytes of a plant-year, ledger and days. */
function plantYear({ storage }: ScaleFigures) {
  if (storage === null) return null;
  const ledger = slotsPerYear * storage.year.bytes_per_row;
  return {
    ledger,
    // Deleted rows leave unused space in the oldest month's partition until it is dropped.
    keptLedger: (ledger * (retentionDays + monthDaysMax)) / 365,
    days: 365 * storage.snapshot_bytes,
  };
}

function storageTable(figures: ScaleFigures): string {
  const { storage } = figures;
  const year = plantYear(figures);
  if (storage === null || year === null) return '';
  const { year: rows, day, snapshot_bytes: snapshot } = storage;
  return tableOf(
    ['what', 'measured'],
    [
      [
        'a row of the ledger',
        `${count(rows.bytes_per_row)} B: ${count(rows.heap_bytes_per_row)} in the heap, ${count(rows.index_bytes_per_row)} in indexes (a year of ${rows.plants} plants, ${count(rows.rows)} rows in the order of time; a day of ${count(storage.plants)}: ${count(day.bytes_per_row)} B)`,
      ],
      ['a day of a plant (`metric_snapshots`)', `${count(snapshot)} B`],
      ['a plant-year at ten minutes, nothing pruned', bytesText(year.ledger + year.days)],
      [
        `a plant-year with \`prune --older-than ${retentionDays}d\` each day, at most`,
        `${bytesText(year.keptLedger + year.days)}: ${bytesText(year.keptLedger)} of ledger that stays, ${bytesText(year.days)} of days each year`,
      ],
      [
        `a prune to ${storage.prune.older_than_days} days`,
        `${count(storage.prune.rows)} rows in ${storage.prune.pruned_s} s, ${count(storage.prune.rows_dropped)} of them with ${storage.prune.partitions} partitions, after ${storage.prune.planned_s} s of counting; rows written meanwhile took ${storage.prune.insert_p99_ms} ms (p99), ${storage.prune.insert_max_ms} ms at most`,
      ],
    ],
  );
}

function readsTable({ storage }: ScaleFigures): string {
  if (storage === null) return '';
  return tableOf(
    ['what reads the whole fleet', `at ${count(storage.plants)} plants, a day of ledger`, ''],
    storage.reads.map(({ what, ms: took, note }) => [
      what,
      took === null ? 'fails' : `${count(took)} ms`,
      note,
    ]),
  );
}

/** The needs of a fleet by the figures of the largest one that was measured. */
function projection(figures: ScaleFigures): string {
  const size = figures.sizes.findLast(({ cached_per_queue: cached }) => cached === null);
  const year = plantYear(figures);
  if (size === undefined || year === null || figures.storage === null) return '';
  const { cpu_ms_per_poll: cpu, history_per_poll: history } = size;
  const loop = loopMb(figures.sizes) ?? 0.127;
  const view = figures.storage.reads[0];
  const viewMb = Number(/^(\d+) MB/.exec(view?.note ?? '')?.[1] ?? 0);
  const cores = (pollsPerS: number, cpuMs: number | null) =>
    ((pollsPerS * (cpuMs ?? 0)) / 1_000 / coreShare).toFixed(1);
  const rows: [string, (plants: number, pollsPerS: number) => string][] = [
    ['polls/s', (_, pollsPerS) => count(pollsPerS)],
    [
      'state transitions/s (a continue-as-new each 16 polls with it)',
      (_, pollsPerS) => count(pollsPerS * (history.transitions + continueAsNewTransitions)),
    ],
    [
      `history shards, at ${shardTransitionsPerS} transitions/s each`,
      (_, pollsPerS) =>
        count(
          2 **
            Math.ceil(
              Math.log2(
                (pollsPerS * (history.transitions + continueAsNewTransitions)) /
                  shardTransitionsPerS,
              ),
            ),
        ),
    ],
    [
      `history kept for ${temporalRetentionHours} h`,
      (_, pollsPerS) => bytesText(pollsPerS * 3_600 * temporalRetentionHours * history.bytes),
    ],
    ['worker cores, half of each busy', (_, pollsPerS) => cores(pollsPerS, cpu.worker)],
    [
      'Temporal cores, likewise (its store not counted)',
      (_, pollsPerS) => cores(pollsPerS, cpu.temporal),
    ],
    ['PostgreSQL cores, likewise', (_, pollsPerS) => cores(pollsPerS, cpu.postgresql)],
    ['worker memory, every loop cached', (plants) => bytesText(plants * loop * 1e6)],
    ['waits for PostgreSQL/s', (_, pollsPerS) => count(pollsPerS * size.database_waits_per_poll)],
    ['Redis calls/s', (_, pollsPerS) => count(pollsPerS * redisCallsPerPoll)],
    ['ledger rows a day', (plants) => count((plants * 86_400) / projectedIntervalS)],
    ['ledger a month, a partition', (plants) => bytesText((plants * year.ledger) / 12)],
    [
      'PostgreSQL a year, nothing pruned',
      (plants) => bytesText(plants * (year.ledger + year.days)),
    ],
    [
      `PostgreSQL after a year, ${retentionDays} days kept`,
      (plants) => bytesText(plants * (year.keptLedger + year.days)),
    ],
    [
      "the API's fleet view, each second that somebody looks",
      (plants) =>
        `${(((view?.ms ?? 0) / 1_000) * (plants / figures.storage!.plants)).toFixed(0)} s, ${bytesText((viewMb * 1e6 * plants) / figures.storage!.plants)}`,
    ],
    ['a first start of the loops at 100/s', (plants) => `${(plants / 100 / 60).toFixed(0)} min`],
  ];
  return tableOf(
    ['at ten minutes', ...projected.map((plants) => `${count(plants)} plants`)],
    rows.map(([what, of]) => [
      what,
      ...projected.map((plants) => of(plants, plants / projectedIntervalS)),
    ]),
  );
}

function madeOn({ sizes, storage }: ScaleFigures): string {
  const versions = sizes.at(-1)?.versions ?? storage?.versions;
  if (versions === undefined) return '';
  return `Node ${versions.node}, Temporal ${versions.temporal_server} on SQLite (SDK ${versions.temporal_sdk}), PostgreSQL ${versions.postgresql}, Redis ${versions.redis ?? 'none'}, all of it and the load on ${versions.cores} × ${versions.cpu}.\n`;
}

const tables: Record<string, (figures: ScaleFigures) => string> = {
  machine: madeOn,
  costs,
  memory,
  restarts,
  storage: storageTable,
  reads: readsTable,
  projection,
};

/** The page with tables from the figures. */
export function withTables(page: string, figures: ScaleFigures): string {
  return page.replaceAll(
    /(<!-- table (\w+) -->\n)[\s\S]*?(<!-- \/table -->)/g,
    (_, begin: string, name: string, end: string) =>
      `${begin}${tables[name]?.(figures) ?? ''}${end}`,
  );
}

if (import.meta.main)
  writeFileSync(pagePath, withTables(readFileSync(pagePath, 'utf8'), readFigures(jsonPath)));
