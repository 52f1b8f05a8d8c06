import { plantPath } from '../../pages/paths.ts';
import { html } from 'hono/html';

import {
  type Brand,
  brandName,
  brands,
  type Status,
  statuses,
} from '../../../domain/plants/plant.ts';
import { type StripTick, stripSlots } from '../../../domain/plants/strip.ts';
import { durationText } from '../../../domain/wording.ts';
import { offsetText, type ReaderZone } from '../../../domain/zone.ts';
import {
  clockSeconds,
  decimal,
  difference,
  figure,
  type Html,
  mark,
  type MarkKind,
  missing,
  moon,
  statusMark,
  time,
  whenText,
} from '../../pages/components.ts';
import { go, replacesPage } from '../../pages/forms.ts';
import { strip } from '../../pages/strip.ts';
import {
  pauseSentence,
  plantSentence,
  silenceSentence,
} from '../../../operations/plants/plant-view.ts';
import { type FleetSort, fleetSorts, type FleetTotals } from '../fleet-query.ts';
import type { FleetRow } from '../fleet-row.ts';

/** The fleet page: all plants, worst first. */

/** The query of the page's address. */
export interface FleetQuery {
  status: Status | 'STALE' | null;
  brand: Brand | null;
  customer: string | null;
  /** The id of an open incident. */
  incident: number | null;
  q: string;
  /** A column; a leading "-" means descending. Empty: worst first. */
  sort: string;
  /** Number of shown pages of `fleetPageSize` rows. */
  pages: number;
}

export interface FleetPage {
  query: FleetQuery;
  /** Of the plants that match the filters. */
  totals: FleetTotals;
  /** Of the plants that match all filters but that of the status: each count is what its link leads to. */
  counts: FleetTotals;
  /** Of all plants that the viewer may see. */
  all: FleetTotals;
  /** null if none of the plants that match has data of that day. */
  yesterdayKwh: number | null;
  todayKwh: number | null;
  rows: readonly FleetRow[];
  strips: ReadonlyMap<string, readonly StripTick[]>;
  customers: readonly string[];
  /** The open incidents, each with its sentence. */
  incidents: readonly { id: number; sentence: string }[];
  /** Set when a tenth of the fleet is not polled. `sinceMs`: the newest poll of those plants; null if there was none. */
  stopped: { sinceMs: number | null } | null;
  /** Whether the viewer may open the page of the system. */
  maySeeSystem: boolean;
  zone: ReaderZone;
  /** The zone of times that belong to no single plant. */
  timezone: string;
  nowMs: number;
}

/** Rows a page. */
export const fleetPageSize = 100;

/** The page's address with the changed values. */
export function fleetHref(query: FleetQuery, change: Partial<FleetQuery>): string {
  const { status, brand, customer, incident, q, sort, pages } = { ...query, ...change };
  const given = {
    status,
    brand,
    customer,
    incident: incident === null ? null : String(incident),
    q,
    sort,
    pages: pages > 1 ? String(pages) : '',
  };
  const params = new URLSearchParams(
    Object.entries(given).filter((pair): pair is [string, string] => Boolean(pair[1])),
  );
  const text = params.toString();
  return text === '' ? '/' : `/?${text}`;
}

export function fleetContent(view: FleetPage): Html {
  return html`<h1 class="sr">Fleet</h1>
    ${stoppedBanner(view)} ${view.incidents.map((incident) => incidentBanner(incident, view))}
    <div class="bar">${counts(view)}${filters(view)}</div>
    ${totals(view)} ${view.rows.length === 0 ? nothing(view) : table(view)} ${more(view)}`;
}

function stoppedBanner({ stopped, all: t, timezone, nowMs, maySeeSystem }: FleetPage): Html {
  if (stopped === null) return html``;
  const colours =
    stopped.sinceMs === null
      ? 'none of them was ever polled'
      : `their colours are those of ${whenText(stopped.sinceMs, timezone, nowMs)}`;
  return html`<div class="banner hatch" role="alert">
    ${mark('STALE')}
    <p>
      <strong>Monitoring has stopped</strong> for ${t.not_polled} of ${t.plants} plants:
      ${colours}.${maySeeSystem ? html` <a href="/system">System</a> says what is wrong and what to do.` : ''}
    </p>
  </div>`;
}

/** An incident's one sentence, and a filter for the plants that fail in it. */
function incidentBanner(
  { id, sentence }: FleetPage['incidents'][number],
  { query }: FleetPage,
): Html {
  const isOn = query.incident === id;
  const href = fleetHref(query, { incident: isOn ? null : id, pages: 1 });
  return html`<div class="banner" id="incident-${id}" role="status">
    ${mark('YELLOW')}
    <p>
      <strong>${sentence}</strong>
      <a id="incident-${id}-plants" ${go(href)} ${isOn ? html`aria-current="true"` : ''}
        >${isOn ? 'Show all plants' : 'Show its plants'}</a
      >
      · <a href="/alerts#incident-${id}">Its alerts</a>
    </p>
  </div>`;
}

function counts({ query, counts: t }: FleetPage): Html {
  const all: readonly (readonly [MarkKind, number, string])[] = [
    ['RED', t.red, 'red'],
    ['YELLOW', t.yellow, 'yellow'],
    ['GREEN', t.green, 'green'],
    ['GREY', t.grey, 'grey'],
    ['STALE', t.not_polled, 'not polled'],
  ];
  return html`<nav class="counts" aria-label="Plants by status">
    ${all.map(([kind, count, word]) => {
      const isOn = query.status === kind;
      const href = fleetHref(query, { status: isOn ? null : kind, pages: 1 });
      return html`<a
        id="count-${kind}"
        class="${count === 0 ? 'none' : ''}"
        ${go(href)}
        ${isOn ? html`aria-current="true"` : ''}
        >${mark(kind)}<span><b>${count}</b> ${word}</span></a
      >`;
    })}
  </nav>`;
}

function filters({ query, customers }: FleetPage): Html {
  const select = <Value extends string>(
    name: 'brand' | 'customer',
    label: string,
    values: readonly Value[],
    textOf: (value: Value) => string = String,
  ): Html => {
    const option = (value: string, text: string): Html =>
      html`<option value="${value}" ${value === (query[name] ?? '') ? html`selected` : ''}>
        ${text}
      </option>`;
    return html`<label
      ><span class="sr">${label}</span
      ><select id="${name}" name="${name}">
        ${option('', `All ${label.toLowerCase()}s`)}${values.map((value) => option(value, textOf(value)))}
      </select></label
    >`;
  };
  return html`<form
    class="filters"
    id="filters"
    role="search"
    action="/"
    method="get"
    hx-get="/"
    hx-trigger="input delay:300ms, submit"
    ${replacesPage}
  >
    ${query.status === null ? '' : html`<input type="hidden" name="status" value="${query.status}" />`}
    ${query.incident === null ? '' : html`<input type="hidden" name="incident" value="${query.incident}" />`}
    ${query.sort === '' ? '' : html`<input type="hidden" name="sort" value="${query.sort}" />`}
    <label class="search"
      ><span class="sr">Search plants</span
      ><input
        id="q"
        type="search"
        name="q"
        value="${query.q}"
        placeholder="Search"
        autocomplete="off"
    /></label>
    ${select('brand', 'Brand', brands, brandName)}
    ${customers.length === 0 ? '' : select('customer', 'Customer', customers)}
    <noscript><button type="submit">Filter</button></noscript>
  </form>`;
}

function totals({ totals: t, yesterdayKwh, todayKwh, timezone, nowMs }: FleetPage): Html {
  const powerW = t.power_now_w;
  const kw =
    t.fresh === 0
      ? missing('No plant has fresh data', { left: true })
      : html`<b>${decimal(powerW / 1_000, powerW < 100_000 ? 1 : 0)} kW</b>`;
  const kwh = (value: number | null, reason: string): Html =>
    value === null
      ? missing(reason, { left: true })
      : html`<b>${decimal(value, value < 1_000 ? 1 : 0)} kWh</b>`;
  const newest = t.newest_poll_at;
  return html`<div class="totals">
    <span>${kw} now, from ${t.fresh} of ${t.active} plants with fresh data</span>
    <span>yesterday ${kwh(yesterdayKwh, 'No plant has data of yesterday')}</span>
    <span>today ${kwh(todayKwh, 'No plant has data of today yet')}</span>
    <span class="newest"
      >newest poll
      ${newest === null ? missing('Nothing was polled yet') : html`<time id="newest-poll" datetime="${newest.toISOString()}">${newestText(newest.getTime(), timezone, nowMs)}</time>`}</span
    >
  </div>`;
}

function newestText(atMs: number, timezone: string, nowMs: number): string {
  const clock = `${clockSeconds(atMs, timezone)} ${offsetText(atMs, timezone)}`;
  const isOld = nowMs - atMs >= 60_000;
  return `${clock}${isOld ? `, ${durationText(nowMs - atMs)} ago` : ''}`;
}

function table(view: FleetPage): Html {
  const { query } = view;
  const column = (sort: FleetSort, label: Html, className: string): Html => {
    const isOn = query.sort === sort || query.sort === `-${sort}`;
    const isTurned = query.sort.startsWith('-');
    // The first click on a figure sorts the highest first.
    const first = sort === 'name' ? sort : `-${sort}`;
    const next = !isOn ? first : query.sort === first ? (isTurned ? sort : `-${sort}`) : '';
    const direction = isTurned ? 'descending' : 'ascending';
    return html`<th scope="col" class="${className}" ${isOn ? html`aria-sort="${direction}"` : ''}>
      <a id="sort-${sort}" ${go(fleetHref(query, { sort: next, pages: 1 }))}
        >${label}${isOn ? (isTurned ? ' ↓' : ' ↑') : ''}</a
      >
    </th>`;
  };
  return html`<table class="fleet" role="table">
    <caption class="sr">
      Plants, ${query.sort === '' ? 'worst first' : `by ${query.sort.replace('-', '')}`}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        <th scope="col">
          <a
            id="sort-worst"
            ${go(fleetHref(query, { sort: '', pages: 1 }))}
            ${query.sort === '' ? html`aria-current="true"` : ''}
            >status</a
          >
        </th>
        ${column('name', html`plant`, '')}
        <th scope="col">why, since</th>
        ${column('data_age', html`data<br />age`, 'num')}${column('power', html`now<br />kW`, 'num')}${column('yesterday', html`yesterday<br />kWh`, 'num')}${column('yesterday_per_kwp', html`yesterday<br />kWh/kWp`, 'num w3')}${column('yesterday_ratio', html`yesterday<br />vs median`, 'num w2')}${column('today', html`today<br />kWh`, 'num')}${column('today_ratio', html`today<br />vs median`, 'num w2')}${column('lost', html`lost<br />kWh ≈`, 'num w3')}
        <th scope="col" class="w2">last 24 slots</th>
        ${column('alerts', html`alerts`, 'num')}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${view.rows.map((plant) => row(plant, view))}
    </tbody>
  </table>`;
}

function row(plant: FleetRow, { nowMs, zone, strips }: FleetPage): Html {
  const href = plantPath(plant.id);
  const { status, stale } = plant;
  // A plant without anything to do is shown muted.
  const isCalm = status === 'GREEN' && plant.open_alerts === 0;
  const age =
    plant.last_seen_at === null ? null : Math.max(0, nowMs - plant.last_seen_at.getTime());
  return html`<tr role="row" id="p-${plant.id}" class="${stale ? 'stale' : isCalm ? 'calm' : ''}">
    <td role="cell" class="c-status">
      ${stale ? html`<span class="status">${mark('STALE')}<span>${status}</span></span>` : statusMark(status)}
    </td>
    <th role="rowheader" scope="row" class="c-name">
      <a id="a-${plant.id}" href="${href}">${plant.name}</a
      ><small class="muted">${brandName(plant.brand)}</small
      >${plant.is_night === true ? moon() : ''}
    </th>
    <td role="cell" class="c-why">
      <span class="why ${isHeld(plant, nowMs) ? 'whole' : ''}">${why(plant, nowMs, zone)}</span>
    </td>
    <td role="cell" class="num c-age">
      ${age === null ? missing('No measurement yet') : durationText(age)}
    </td>
    <td role="cell" class="num">
      ${figure(plant.power_now_w === null ? null : plant.power_now_w / 1_000, 1, plant.power_note ?? 'No fresh power')}
    </td>
    <td role="cell" class="num">
      ${plant.yesterday_energy_kwh === null ? missing('No data of yesterday') : html`${decimal(plant.yesterday_energy_kwh, 1)}${plant.yesterday_quality === 'FINAL' ? '' : html`<span class="tip" tabindex="0" data-tip="May still change: late data are asked for three days"><span aria-hidden="true">*</span><span class="sr"> not final</span></span>`}`}
    </td>
    <td role="cell" class="num w3">
      ${figure(plant.yesterday_kwh_per_kwp, 1, plant.yesterday_energy_kwh === null ? 'No data of yesterday' : 'The installed capacity is not known')}
    </td>
    <td role="cell" class="num w2">
      ${plant.yesterday_median_ratio === null ? missing(plant.yesterday_note) : difference(plant.yesterday_median_ratio)}
    </td>
    <td role="cell" class="num c-today">
      ${plant.today_energy_kwh === null ? missing('No data of today yet') : html`${decimal(plant.today_energy_kwh, 1)}<span class="unit"> kWh</span>`}
    </td>
    <td role="cell" class="num w2">
      ${plant.today_median_ratio === null ? todayMissing(plant.today_note) : difference(plant.today_median_ratio)}
    </td>
    <td role="cell" class="num w3">
      ${figure(plant.estimated_lost_kwh ?? plant.at_risk_kwh, 1, 'Nothing is estimated to be lost')}
    </td>
    <td role="cell" class="w2 c-strip">
      ${strip(strips.get(plant.id) ?? [], { count: stripSlots, timezone: zone ?? plant.timezone, href: `${href}#polls` })}
    </td>
    <td role="cell" class="num c-alerts">
      ${plant.open_alerts === 0 ? html`<span class="muted">–<span class="sr">no open alert</span></span>` : html`${plant.open_alerts}<span class="unit"> ${plant.open_alerts === 1 ? 'alert' : 'alerts'}</span>`}
    </td>
  </tr>`;
}

/** "too early" is shown in words; any other reason is behind a dash. */
function todayMissing(note: string): Html {
  return note === 'too early'
    ? missing('Too early: before half of a usual day is in, a cloud decides', { words: note })
    : missing(note);
}

function isHeld(plant: FleetRow, nowMs: number): boolean {
  return pauseSentence(plant, nowMs) !== null || silenceSentence(plant, nowMs) !== null;
}

function why(plant: FleetRow, nowMs: number, zone: ReaderZone): Html {
  const sentence = plantSentence(plant, nowMs, zone);
  if (!plant.stale) return html`${sentence}`;
  const since = plant.not_polled_since;
  return html`not polled since
  ${since === null ? 'it was added' : time(since.getTime(), zone ?? plant.timezone, nowMs)}; before
  that: ${sentence}`;
}

function nothing({ query, all: t }: FleetPage): Html {
  return t.plants === 0
    ? html`<p class="empty">
        No plant yet. <code>heliograph plants add</code> or <code>POST /api/v1/plants</code> brings
        the first one in.
      </p>`
    : html`<p class="empty">
        No plant matches.
        <a
          ${go(fleetHref(query, { status: null, brand: null, customer: null, incident: null, q: '', pages: 1 }))}
          >Show all ${t.plants}</a
        >
      </p>`;
}

function more({ query, rows: { length: shown }, totals: { plants: found } }: FleetPage): Html {
  if (shown >= found) return html``;
  const href = fleetHref(query, { pages: query.pages + 1 });
  return html`<p class="more">
    <a class="button" id="more" ${go(href)}>Show ${Math.min(fleetPageSize, found - shown)} more</a>
    <span class="muted">${shown} of ${found}</span>
  </p>`;
}

/** Reads the query of the page's address; unknown values are ignored. */
export function parseFleetQuery(params: URLSearchParams): FleetQuery {
  const oneOf = <T extends string>(name: string, values: readonly T[]): T | null =>
    values.find((value) => value === params.get(name)) ?? null;
  const sort = params.get('sort') ?? '';
  const incident = params.get('incident') ?? '';
  const pages = Number(params.get('pages') ?? 1);
  return {
    status: oneOf('status', [...statuses, 'STALE'] as const),
    brand: oneOf('brand', brands),
    customer: params.get('customer') || null,
    incident: /^[1-9]\d{0,14}$/.test(incident) ? Number(incident) : null,
    q: (params.get('q') ?? '').slice(0, 100),
    sort: fleetSorts.some((name) => sort === name || sort === `-${name}`) ? sort : '',
    pages: Number.isInteger(pages) && pages >= 1 ? Math.min(pages, 100) : 1,
  };
}
