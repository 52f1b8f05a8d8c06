import { html } from 'hono/html';

import type { GatewayFilter, GatewayTotals, GatewayView } from '../../../db/gateways/gateways.ts';
import {
  type GatewayStatus,
  gatewayStatuses,
  priorities,
  type Priority,
} from '../../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { durationText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import {
  gatewaySentence,
  mainReadings,
  placeText,
  pointReadings,
  qualityText,
  valueText,
} from '../../../operations/gateways/gateway-view.ts';
import {
  column,
  decimal,
  type Html,
  mark,
  type MarkKind,
  missing,
  orMissing,
  statusMark,
  table,
  time,
} from '../../pages/components.ts';
import { go, replacesPage } from '../../pages/forms.ts';
import { gatewayPath, gatewaysPath, testAddressPath } from './paths.ts';
import { slotStrip, type StripRow } from './strip.ts';

/** The Gateways page: all gateways, the worst first. */

/** The query of the page's address. */
export interface GatewaysQuery {
  status: GatewayStatus | 'STALE' | null;
  priority: Priority | null;
  plant: string | null;
  preset: string | null;
  q: string;
  /** Number of shown pages of `gatewaysPageSize` rows. */
  pages: number;
}

/** A gateway with what the page shows beside its row. */
export interface ListedGateway {
  row: GatewayView;
  points: readonly UnitPoint[];
  strip: readonly StripRow[];
  /** Share of the polls of 24 h that were answered, 0 … 1; undefined without any. */
  answered: number | undefined;
}

export interface GatewaysPage {
  query: GatewaysQuery;
  /** Of the gateways that match the filters. */
  matching: GatewayTotals;
  /** Of the gateways that match all filters but that of the status. */
  counts: GatewayTotals;
  gateways: readonly ListedGateway[];
  /** Presets and plants that some gateway has. */
  presets: readonly string[];
  plants: readonly { id: string; name: string }[];
  /** How polling runs, for the staff; null for customers and without a walker. */
  polling: { pollsPerMin: number; lateP99Ms: number | null; answered: number | null } | null;
  mayAdd: boolean;
  nowMs: number;
  zone: ReaderZone;
}

/** Rows a page. */
export const gatewaysPageSize = 100;

/** Reads the query of the page's address; unknown values are ignored. */
export function parseGatewaysQuery(params: URLSearchParams): GatewaysQuery {
  const oneOf = <T extends string>(name: string, values: readonly T[]): T | null =>
    values.find((value) => value === params.get(name)) ?? null;
  const pages = Number(params.get('pages') ?? 1);
  return {
    status: oneOf('status', [...gatewayStatuses, 'STALE'] as const),
    priority: oneOf('priority', priorities),
    plant: params.get('plant') || null,
    preset: params.get('preset') || null,
    q: (params.get('q') ?? '').slice(0, 100),
    pages: Number.isInteger(pages) && pages >= 1 ? Math.min(pages, 100) : 1,
  };
}

/** The filter of the list. @param withStatus false: all but that of the status. */
export function filterOf(query: GatewaysQuery, withStatus = true): GatewayFilter {
  const { status, priority, plant, preset, q } = query;
  return {
    priority: priority ?? undefined,
    plantId: plant ?? undefined,
    preset: preset ?? undefined,
    q,
    ...(withStatus && status === 'STALE' ? { stale: true } : {}),
    ...(withStatus && status !== null && status !== 'STALE' ? { status, stale: false } : {}),
  };
}

/** The page's address with the changed values. */
export function gatewaysHref(query: GatewaysQuery, change: Partial<GatewaysQuery>): string {
  const { pages, ...given } = { ...query, ...change };
  const pairs = Object.entries({ ...given, pages: pages > 1 ? String(pages) : '' });
  const params = new URLSearchParams(
    pairs.filter((pair): pair is [string, string] => Boolean(pair[1])),
  );
  const text = params.toString();
  return text === '' ? gatewaysPath : `${gatewaysPath}?${text}`;
}

export function gatewaysContent(view: GatewaysPage): Html {
  return html`<h1 class="sr">Gateways</h1>
    <div class="bar">${counts(view)}${filters(view)}</div>
    ${totals(view)} ${view.gateways.length === 0 ? nothing(view) : rows(view)} ${more(view)}`;
}

/** The mark of each status: a shape and a colour, beside the word. */
export const markOf: Readonly<Record<GatewayStatus, MarkKind>> = {
  DISABLED: 'RED',
  OFFLINE: 'RED',
  DEGRADED: 'YELLOW',
  WAITING: 'GREY',
  ONLINE: 'GREEN',
  PAUSED: 'GREY',
};

function counts({ query, counts: t }: GatewaysPage): Html {
  const all: readonly (readonly [GatewayStatus | 'STALE', number, string])[] = [
    ['DISABLED', t.disabled, 'disabled'],
    ['OFFLINE', t.offline, 'offline'],
    ['DEGRADED', t.degraded, 'degraded'],
    ['ONLINE', t.online, 'online'],
    ['WAITING', t.waiting, 'waiting'],
    ['PAUSED', t.paused, 'paused'],
    ['STALE', t.not_polled, 'not polled'],
  ];
  return html`<nav class="counts in-fours" aria-label="Gateways by status">
    ${all.map(([status, count, word]) => {
      const isOn = query.status === status;
      const href = gatewaysHref(query, { status: isOn ? null : status, pages: 1 });
      return html`<a
        id="count-${status}"
        class="${count === 0 ? 'none' : ''}"
        ${go(href)}
        ${isOn ? html`aria-current="true"` : ''}
        >${mark(status === 'STALE' ? 'STALE' : markOf[status])}<span
          ><b>${count}</b> ${word}</span
        ></a
      >`;
    })}
  </nav>`;
}

function filters({ query, presets, plants }: GatewaysPage): Html {
  const select = (
    name: 'priority' | 'plant' | 'preset',
    all: string,
    values: readonly { value: string; text: string }[],
  ): Html =>
    html`<label
      ><span class="sr">${name}</span
      ><select id="${name}" name="${name}">
        <option value="" ${query[name] === null ? html`selected` : ''}>${all}</option>
        ${values.map(({ value, text }) => html`<option value="${value}" ${value === query[name] ? html`selected` : ''}>${text}</option>`)}
      </select></label
    >`;
  const plain = (values: readonly string[]) => values.map((value) => ({ value, text: value }));
  const ofPlants = plants.map(({ id, name }) => ({ value: id, text: name }));
  return html`<form
    class="filters"
    id="filters"
    role="search"
    action="${gatewaysPath}"
    method="get"
    hx-get="${gatewaysPath}"
    hx-trigger="input delay:300ms, submit"
    ${replacesPage}
  >
    ${query.status === null ? '' : html`<input type="hidden" name="status" value="${query.status}" />`}
    <label class="search"
      ><span class="sr">Search gateways</span
      ><input
        id="q"
        type="search"
        name="q"
        value="${query.q}"
        placeholder="Search"
        autocomplete="off"
    /></label>
    ${select('priority', 'All priorities', plain(priorities))}
    ${plants.length === 0 ? '' : select('plant', 'All plants', ofPlants)}
    ${presets.length === 0 ? '' : select('preset', 'All presets', plain(presets))}
    <noscript><button type="submit">Filter</button></noscript>
  </form>`;
}

function totals({ polling, mayAdd }: GatewaysPage): Html {
  const figures =
    polling === null
      ? ''
      : html`<span><b>${decimal(polling.pollsPerMin, 0)}</b> polls/min</span>
          <span
            >late p99
            ${orMissing(polling.lateP99Ms, (ms) => html`<b>${ms} ms</b>`, 'No poll in the last minute')}</span
          >
          <span
            >${orMissing(polling.answered, (share) => html`<b>${percent(share)}</b> answered in 24 h`, 'No roll-up of the last 24 h yet')}</span
          >`;
  const add = mayAdd
    ? html`<span class="newest"
        ><a class="button" href="${gatewaysPath}/new">+ Gateway</a>
        <a class="button" href="${testAddressPath}">Test an address</a></span
      >`
    : '';
  return html`<div class="totals">${figures}${add}</div>`;
}

/** "99.98 %", "100 %": never 100 unless all were answered. */
export function percent(share: number): string {
  const value = Math.floor(share * 10_000) / 100;
  return `${value === 100 ? '100' : decimal(value, value >= 99 ? 2 : 1)} %`;
}

function rows(view: GatewaysPage): Html {
  const { nowMs, zone } = view;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of gateways">
    ${table<ListedGateway>(
      {
        className: 'alerts gateways',
        caption: 'Gateways, worst first',
        named: 1,
        idOf: ({ row }) => `g-${row.id}`,
      },
      view.gateways,
      [
        column('status', 'c-status', ({ row }) =>
          row.stale
            ? html`<span class="status">${mark('STALE')}<span>${row.status}</span></span>`
            : statusMark(markOf[row.status], row.status),
        ),
        column(
          'gateway',
          'c-name',
          ({ row }) =>
            html`<a id="a-${row.id}" href="${gatewayPath(row.id)}">${row.name}</a
              >${row.plant_name === null ? '' : html`<small class="muted">${row.plant_name}</small>`}`,
        ),
        column('where', 'w2', ({ row }) => html`<span class="muted">${placeText(row)}</span>`),
        column('why, since', 'c-what', ({ row }) => why(row, nowMs, zone)),
        column('every', 'num w2', ({ row }) => durationText(row.poll_interval_s * 1_000)),
        column('last values', 'c-values', (one) => lastValues(one, nowMs)),
        column('answered', 'num w2', ({ answered }) =>
          orMissing(answered ?? null, percent, 'Not polled in the last 24 h'),
        ),
        column('last 40 slots', 'w2 c-strip', ({ row, strip }) =>
          slotStrip(strip, {
            intervalMs: row.poll_interval_s * 1_000,
            timezone: zone ?? row.timezone,
            href: `${gatewayPath(row.id)}#polls`,
          }),
        ),
      ],
    )}
  </div>`;
}

function why(row: GatewayView, nowMs: number, zone: ReaderZone): Html {
  const at = (when: Date) => time(when.getTime(), zone ?? row.timezone, nowMs);
  const sentence = gatewaySentence(row);
  if (row.stale)
    return html`not polled since
    ${row.last_polled_at === null ? 'it was added' : at(row.last_polled_at)}; before that:
    ${sentence}`;
  return row.status === 'ONLINE'
    ? html`${sentence}`
    : html`${sentence} <span class="muted">since ${at(row.status_since)}</span>`;
}

/** "41.2 kW · 212.4 kWh", with the age when it is an old one. */
function lastValues({ row, points }: ListedGateway, nowMs: number): Html {
  const main = mainReadings(pointReadings(points, row.last_reading));
  const seenMs = row.last_seen_at?.getTime() ?? null;
  const ageMs = seenMs === null ? null : Math.max(0, nowMs - seenMs);
  if (ageMs === null) return missing('No value was read yet');
  const isOld = ageMs > 2 * row.poll_interval_s * 1_000 + 5_000;
  if (isOld)
    return html`${missing('The newest poll brought no value')}
      <small class="muted">(stale, ${durationText(ageMs)})</small>`;
  const texts = main.map(({ point, value, quality }) =>
    value === null ? missing(`${point.name}: ${qualityText(quality)}`) : valueText(point, value),
  );
  return html`${texts.map((text, index) => html`${index === 0 ? '' : ' · '}${text}`)}`;
}

function nothing({ query, counts: t }: GatewaysPage): Html {
  const isFiltered = gatewaysHref(query, {}) !== gatewaysPath;
  return isFiltered
    ? html`<p class="empty">No gateway matches. <a ${go(gatewaysPath)}>Show all</a></p>`
    : html`<p class="empty">
        ${t.gateways === 0 ? 'No gateway yet.' : ''} <code>heliograph gateways add</code> or
        <code>POST /api/v1/gateways</code> brings the first one in.
      </p>`;
}

function more({
  query,
  gateways: { length: shown },
  matching: { gateways: found },
}: GatewaysPage): Html {
  if (shown >= found) return html``;
  const href = gatewaysHref(query, { pages: query.pages + 1 });
  return html`<p class="more">
    <a class="button" id="more" ${go(href)}
      >Show ${Math.min(gatewaysPageSize, found - shown)} more</a
    >
    <span class="muted">${shown} of ${found}</span>
  </p>`;
}
