import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { type RivalReport, rivalTable } from '../rival/gateways/rival.ts';
import { disturbances, type GatewayBench } from './bench.ts';
import type { Measured } from './runs.ts';

/** `npm run bench:gateways:report`: writes the gateways' tables of docs/scale.md from docs/gateways.json and docs/gateways-rival.json. */

const place = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
const pagePath = place('scale.md');

interface Figures {
  bench: GatewayBench | null;
  rival: RivalReport | null;
}

function readJson(name: string): unknown {
  return existsSync(place(name)) ? JSON.parse(readFileSync(place(name), 'utf8')) : null;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('');
}

const count = (value: number) => Math.round(value).toLocaleString('en');
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** Days for which raw readings are kept. */
const keptDays = 7;
const dayS = 86_400;

function steadyRuns({ steady, full_speed: fullSpeed, growth }: GatewayBench): Measured[] {
  return [...growth, ...[steady, fullSpeed].filter((run) => run !== null)];
}

function costs({ bench }: Figures): string {
  if (bench === null) return '';
  return tableOf(
    [
      'gateways',
      'interval',
      'polls/s',
      'late p50, p99, max',
      'walker',
      'PostgreSQL',
      'farm',
      'the whole machine',
      'memory',
      'slots due, missed, lost, doubled, overlapping',
    ],
    steadyRuns(bench).map((run) => {
      const { late, slots, cpu_ms_per_poll: cpu } = run;
      return [
        count(run.gateways),
        `${run.interval_s} s`,
        count(run.polls_per_s),
        `${late.p50_ms}, ${late.p99_ms}, ${late.max_ms} ms`,
        `${cpu.walker} ms`,
        `${cpu.postgresql} ms`,
        `${cpu.farm} ms`,
        `${cpu.machine} ms`,
        `${count(run.walker_rss_mb)} MB`,
        [slots.due, slots.missed, slots.lost, slots.doubled, slots.overlapping]
          .map(count)
          .join(', '),
      ];
    }),
  );
}

function faults({ bench }: Figures): string {
  if (bench === null) return '';
  return tableOf(
    [
      'what happens',
      'polling again after',
      'slots due',
      'missed with their rows',
      'lost',
      'doubled',
      'overlapping',
      'late p99',
    ],
    disturbances(bench).map(([name, { polling_again_ms: again, slots, late }]) => [
      name,
      again === null ? 'never' : `${(again / 1_000).toFixed(1)} s`,
      ...[slots.due, slots.missed, slots.lost, slots.doubled, slots.overlapping].map(count),
      `${late.p99_ms} ms`,
    ]),
  );
}

function hostile({ bench }: Figures): string {
  const run = bench?.hostile ?? null;
  if (run === null) return '';
  const others = `The others: late p99 ${run.late_of_others?.p99_ms} ms, ${count(run.slots.lost)} lost.\n`;
  return `${tableOf(
    ['gateway', 'outcomes', 'reasons', 'values stored', 'of them wrong'],
    run.misbehaving.map(({ id, outcomes, reasons, stored, wrong }) => [
      id,
      outcomes,
      reasons ?? '–',
      count(stored),
      count(wrong),
    ]),
  )}\n${others}`;
}

function storage({ bench }: Figures): string {
  const run = bench?.steady ?? bench?.growth.at(-1) ?? null;
  if (run === null) return '';
  const { heap, index } = run.row_bytes;
  const perDay = (run.gateways * dayS * (heap + index)) / run.interval_s;
  return `A reading of twelve points takes ${heap + index} B: ${heap} in the heap, ${index} in indexes. ${count(run.gateways)} gateways every ${run.interval_s} s are ${count((run.gateways * dayS) / run.interval_s)} readings and ${gigabytes(perDay)} a day, ${gigabytes(keptDays * perDay)} in the ${keptDays} days for which they are kept.\n`;
}

function rival({ rival: report }: Figures): string {
  return report === null ? '' : rivalTable(report);
}

function machine({ bench }: Figures): string {
  const versions = bench === null ? undefined : steadyRuns(bench).at(-1)?.versions;
  if (versions === undefined) return '';
  return `Node ${versions.node}, PostgreSQL ${versions.postgresql}; walker, servers and simulated gateways all on ${versions.cores} × ${versions.cpu}.\n`;
}

const parts: Readonly<Record<string, (figures: Figures) => string>> = {
  machine,
  costs,
  faults,
  hostile,
  storage,
  rival,
};

/** The page with the gateways' tables from the figures; a table without figures stays as it is. */
export function withGatewayTables(page: string, figures: Figures): string {
  return page.replaceAll(
    /(<!-- gateways (\w+) -->\n)([\s\S]*?)(<!-- \/gateways -->)/g,
    (_, begin: string, name: string, before: string, end: string) =>
      `${begin}${parts[name]?.(figures) || before}${end}`,
  );
}

if (import.meta.main) {
  const figures: Figures = {
    bench: readJson('gateways.json') as GatewayBench | null,
    rival: readJson('gateways-rival.json') as RivalReport | null,
  };
  writeFileSync(pagePath, withGatewayTables(readFileSync(pagePath, 'utf8'), figures));
}
