import { html } from 'hono/html';

import { clockText, localTimeText } from '../../domain/wording.ts';
import { localDateAt, offsetText } from '../../domain/zone.ts';

/** The small parts of every page, as pure functions. */

export type Html = ReturnType<typeof html>;

/** A status, or that the plant was not polled for too long. */
export type MarkKind = 'GREEN' | 'YELLOW' | 'RED' | 'GREY' | 'STALE';

const shapes: Readonly<Record<MarkKind, Html>> = {
  RED: html`<rect x="1" y="1" width="10" height="10" />`,
  YELLOW: html`<path d="M6 1 11.3 11H.7Z" />`,
  GREEN: html`<circle cx="6" cy="6" r="5" />`,
  GREY: html`<circle cx="6" cy="6" r="4.5" />`,
  STALE: html`<path d="M1 1h10v10H1zM1 6 6 1M1 11 11 1M6 11l5-5" />`,
};

/** ■ RED, ▲ YELLOW, ● GREEN, ○ GREY, ▨ not polled: a shape beside its word, so that colour is never the only sign. */
export function mark(kind: MarkKind): Html {
  return html`<svg class="mark ${kind}" viewBox="0 0 12 12" aria-hidden="true">
    ${shapes[kind]}
  </svg>`;
}

/** The mark with its word. */
export function statusMark(kind: MarkKind, word: string = kind): Html {
  return html`<span class="status">${mark(kind)}<b>${word}</b></span>`;
}

/** One column of a table. `className` is of its head and of its cells. */
export interface Column<Row> {
  head: Html | string;
  className: string;
  cell: (row: Row) => Html | string;
}

export function column<Row>(
  head: Html | string,
  className: string,
  cell: (row: Row) => Html | string,
): Column<Row> {
  return { head, className, cell };
}

export interface Table<Row> {
  caption: string;
  className?: string;
  /** The index of the column that names a row; the first one unless said. */
  named?: number;
  /** Makes the id of a row. */
  idOf?: (row: Row) => string;
}

/** A table. It states its ARIA roles, because browsers drop them where the style sheet shows rows as blocks. */
export function table<Row>(
  { caption, className = '', named = 0, idOf }: Table<Row>,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Html {
  const cell = (row: Row) => (of: Column<Row>, index: number) =>
    index === named
      ? html`<th role="rowheader" scope="row" class="${of.className}">${of.cell(row)}</th>`
      : html`<td role="cell" class="${of.className}">${of.cell(row)}</td>`;
  return html`<table class="${className}" role="table">
    <caption class="sr">
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map((of) => html`<th scope="col" class="${of.className}">${of.head}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row) =>
          html`<tr role="row" ${idOf && html`id="${idOf(row)}"`}>
            ${columns.map(cell(row))}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** A chart that the browser draws from `series`, and a table with the same values for people who cannot see it. */
export interface Chart {
  /** The kind of chart for the browser's script; also the suffix of the ids. */
  name: 'power' | 'energy' | 'polls' | 'point';
  series: object;
  legend: Html;
  /** A description of the chart for people who cannot see it. */
  label: string;
  /** The table's name among the page's regions. */
  region: string;
  caption: string;
}

/** @param rows and `columns` make the table. */
export function chart<Row>(
  { name, series, legend, label, region, caption }: Chart,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Html {
  return html`<div
      class="chart"
      id="chart-${name}"
      data-chart="${name}"
      data-series="${JSON.stringify(series)}"
    >
      <div class="legend" aria-hidden="true">
        ${legend}<span class="reading" id="reading-${name}" hx-morph-skip></span>
      </div>
      <div
        class="plot"
        id="plot-${name}"
        role="img"
        aria-label="${label}; the table below has the same values"
        hx-morph-skip
      ></div>
    </div>
    <details class="data" id="data-${name}">
      <summary>as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="${region}">
        ${table({ caption }, rows, columns)}
      </div>
    </details>`;
}

/** A tick for an event that is over. */
export function doneMark(): Html {
  return html`<svg class="mark plain" viewBox="0 0 12 12" aria-hidden="true">
    <path d="m1.5 6.5 3 3 6-7" />
  </svg>`;
}

/** A moon for night at the plant, beside the colour, which it does not change. */
export function moon(): Html {
  return html`<svg class="moon" viewBox="0 0 12 12" role="img" aria-label="night at the plant">
    <path d="M8.8 9.9A5 5 0 0 1 5.2.9 5.4 5.4 0 1 0 11.3 7.6 5 5 0 0 1 8.8 9.9Z" />
  </svg>`;
}

/** A dash for a missing figure, with the reason on hover, on tap, on the keyboard's focus and for a screen reader. */
export function missing(reason: string, options: { words?: string; left?: boolean } = {}): Html {
  return html`<span
    class="tip ${options.left === true ? 'left' : ''}"
    tabindex="0"
    data-tip="${reason}"
    ><span aria-hidden="true">${options.words ?? '–'}</span><span class="sr">${reason}</span></span
  >`;
}

/** The value as it is shown, or a dash with the reason why it is missing. */
export function orMissing(
  value: number | null,
  show: (value: number) => Html | string,
  reason: string,
): Html | string {
  return value === null ? missing(reason) : show(value);
}

/** A figure, or its dash with the reason. */
export function figure(value: number | null, digits: number, reason: string): Html | string {
  return orMissing(value, (known) => decimal(known, digits), reason);
}

/** "8,412", "0.4": thousands grouped, with a fixed number of digits after the point. */
export function decimal(value: number, digits: number): string {
  // Rounds a small negative number to 0, not to -0.
  const rounded = Number(value.toFixed(digits)) + 0;
  return rounded
    .toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace('-', '−');
}

/** "+6 %", "−78 %": a ratio to what is usual, as a difference. */
export function difference(ratio: number): string {
  const percent = Math.round((ratio - 1) * 100) + 0;
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${Math.abs(percent)} %`;
}

/** "09:00:12". */
export function clockSeconds(atMs: number, timezone: string): string {
  const seconds = Math.floor(atMs / 1_000) % 60;
  return `${clockText(atMs, timezone)}:${String(seconds).padStart(2, '0')}`;
}

/** "09:10 UTC+2" of the same local day, "Fri 14:02 UTC+2" within a week, else "2026-06-01 13:40 UTC+2". */
export function whenText(
  atMs: number,
  timezone: string,
  nowMs: number,
  clock: (atMs: number, timezone: string) => string = clockText,
): string {
  const text = `${clock(atMs, timezone)} ${offsetText(atMs, timezone)}`;
  const date = localDateAt(atMs, timezone);
  if (date === localDateAt(nowMs, timezone)) return text;
  const days = Math.abs(nowMs - atMs) / 86_400_000;
  const weekday = weekdays[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? date;
  return `${days >= 6 ? date : weekday} ${text}`;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

/** An instant by the clock of a zone, with the ISO instant in an attribute for machines. */
export function time(atMs: number, timezone: string, nowMs: number): Html {
  const iso = new Date(atMs).toISOString();
  return html`<time datetime="${iso}" title="${localTimeText(atMs, timezone)} (${timezone})"
    >${whenText(atMs, timezone, nowMs)}</time
  >`;
}

/** The product's sign: a mirror that reflects the sun. */
export function logo(): Html {
  return html`<svg
    viewBox="0 0 16 16"
    aria-hidden="true"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
  >
    <circle cx="8" cy="8" r="3" fill="currentColor" />
    <path
      d="M8 0v3M8 13v3M0 8h3M13 8h3M2.3 2.3l2.2 2.2M11.5 11.5l2.2 2.2M2.3 13.7l2.2-2.2M11.5 4.5l2.2-2.2"
    />
  </svg>`;
}
