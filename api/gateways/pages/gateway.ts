import { html } from 'hono/html';

import type { ReadingView } from '../../../db/gateways/readings.ts';
import type { GatewayAlertRow } from '../../../db/gateways/views.ts';
import type { Quirks } from '../../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { exceptionNames } from '../../../domain/gateways/exceptions.ts';
import { durationText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import {
  gatewaySentence,
  placeText,
  type PointReading,
  qualityText,
  valueText,
} from '../../../operations/gateways/gateway-view.ts';
import type { GatewayDetail } from '../../../operations/gateways/read-gateway.ts';
import {
  chart,
  clockSeconds,
  column,
  doneMark,
  figure,
  type Html,
  mark,
  missing,
  orMissing,
  statusMark,
  table,
  time,
  whenText,
} from '../../pages/components.ts';
import { busyText, sentInPlace, sheetForm } from '../../pages/forms.ts';
import { plantPath } from '../../pages/paths.ts';
import { type Told, toldLines } from '../../told.ts';
import { markOf } from './list.ts';
import { gatewayPath, gatewaysPath } from './paths.ts';
import { sparkline } from './sparkline.ts';

/** The page of one gateway: its status and why, its live values, a chart, its polls and how it is read. */

/** Spans of the chart, h by their word. */
export const chartSpans = { '24 h': 24, '7 d': 7 * 24, '30 d': 30 * 24 } as const;
export type ChartSpan = keyof typeof chartSpans;

export interface GatewayPage extends GatewayDetail {
  /** The means of 15 minutes of the last 24 h, by the points of the map, oldest first. */
  quarters: readonly { at_ms: number; mean: readonly (number | null)[] }[];
  /** The point of the chart with its values; null without any point that is a number. */
  series: {
    point: UnitPoint;
    span: ChartSpan;
    /** ms since the epoch, and value; null is a gap. */
    values: readonly (readonly [number, number | null])[];
  } | null;
  quirks: Partial<Quirks>;
  told: Told;
  /** Nobody acts on a removed gateway. */
  mayAct: boolean;
  mayRemove: boolean;
  workflowUrl: string | null;
  zone: ReaderZone;
}

const zoneOf = ({ zone, row }: Pick<GatewayPage, 'zone' | 'row'>): string => zone ?? row.timezone;

export function gatewayContent(view: GatewayPage): Html {
  const { row } = view;
  const presets = [...new Set(row.units.map(({ preset }) => preset ?? 'own points'))].join(', ');
  return html`<div class="head">
      <a href="${gatewaysPath}">‹ Gateways</a>
      <h1>
        ${row.name}
        <small
          >${[placeText(row), presets, `every ${durationText(row.poll_interval_s * 1_000)}`, row.priority].join(' · ')}</small
        >
      </h1>
      <div class="actions">
        ${view.mayAct ? actions(view) : ''}${view.workflowUrl === null ? '' : html`<a href="${view.workflowUrl}" rel="noreferrer">Temporal ↗</a>`}
      </div>
    </div>
    ${gatewayAnswer('')} ${standing(view)}
    ${row.plant_id === null ? '' : html`<p class="muted">On the site of <a href="${plantPath(row.plant_id)}">${row.plant_name}</a></p>`}
    <section aria-labelledby="h-live">
      <h2 id="h-live">Live values</h2>
      ${live(view)}
    </section>
    <section aria-labelledby="h-chart">
      <h2 id="h-chart">Chart</h2>
      ${pointChart(view)}
    </section>
    <div class="columns">
      <section aria-labelledby="h-alerts">
        <h2 id="h-alerts">Alerts</h2>
        ${alerts(view)}
      </section>
      <section aria-labelledby="h-polls" id="polls">
        <h2 id="h-polls">
          Last polls <small><a href="${gatewayPath(row.id)}/readings">all readings</a></small>
        </h2>
        ${polls(view)}
      </section>
    </div>
    <div class="columns">
      <section aria-labelledby="h-plan">
        <h2 id="h-plan">How it is read</h2>
        ${readPlan(view)}
      </section>
      <section aria-labelledby="h-audit">
        <h2 id="h-audit">Audit log</h2>
        ${decisions(view)}
      </section>
    </div>`;
}

/** The place of the answer to "Poll now" and "Test"; a renewal of the page does not change it. */
export function gatewayAnswer(words: Html | string): Html {
  return html`<div class="answer" id="gateway-answer" role="status" hx-morph-skip>${words}</div>`;
}

function actions({ row, mayRemove }: GatewayPage): Html {
  const path = gatewayPath(row.id);
  return html`${row.is_active ? ask('poll', `${path}/poll`, 'Poll now', 'polling…') : pausedPoll()}
  ${ask('test', `${path}/test`, 'Test', 'testing…')}
  ${row.is_active ? pauseMenu(path) : resumeForm(path, 'Resume')}
  ${row.status === 'DISABLED' && row.is_active ? resumeForm(path, 'Bring back') : ''}
  ${mayRemove ? removeMenu(path) : ''}`;
}

/** The attributes of a form whose answer is shown in the place of the last one. */
export function answeredInPlace(action: string): Html {
  return html`method="post" action="${action}" hx-post="${action}" hx-target="#gateway-answer"
  hx-select="#gateway-answer" hx-swap="outerHTML" hx-sync="#live:replace" hx-disable="find button"`;
}

/** A button whose answer is shown in place. */
function ask(id: string, action: string, idle: string, busy: string): Html {
  return html`<form id="${id}" ${answeredInPlace(action)}>
    <button class="${id === 'poll' ? 'main' : ''}" type="submit">${busyText(idle, busy)}</button>
  </form>`;
}

function pausedPoll(): Html {
  const why = 'The gateway is paused: resume it first.';
  return html`<button class="main tip" type="button" aria-disabled="true" data-tip="${why}">
    Poll now<span class="sr">: not possible. ${why}</span>
  </button>`;
}

function pauseMenu(path: string): Html {
  const fields = html`<label
    ><span>Reason</span><input id="pause-reason" name="reason" maxlength="200" autocomplete="off"
  /></label>`;
  return html`<details class="menu button-menu" id="pause">
    <summary>Pause</summary>
    ${sheetForm({ action: `${path}/pause`, fields, button: 'Pause polling', focusNext: '#resume button' })}
  </details>`;
}

function resumeForm(path: string, word: string): Html {
  return html`<form id="resume" ${sentInPlace(`${path}/resume`, '#pause > summary')}>
    <button type="submit">${busyText(word, 'resuming…')}</button
    ><span class="form-error" role="alert"></span>
  </form>`;
}

function removeMenu(path: string): Html {
  const fields = html`<p class="muted">
    Nothing polls it any more, and lists leave it out. Its readings stay until their time is over.
  </p>`;
  return html`<details class="menu button-menu" id="remove">
    <summary>Remove</summary>
    ${sheetForm({ action: `${path}/remove`, fields, button: 'Remove this gateway' })}
  </details>`;
}

function standing(view: GatewayPage): Html {
  const { row, nextSlotAt, shard, nowMs } = view;
  const zone = zoneOf(view);
  const at = (when: Date) => time(when.getTime(), zone, nowMs);
  const words = row.stale
    ? html`${mark('STALE')}
        <b
          >not polled since
          ${row.last_polled_at === null ? 'it was added' : at(row.last_polled_at)}</b
        >
        <span>before that ${row.status}: ${gatewaySentence(row)}</span>`
    : html`${statusMark(markOf[row.status], row.status)}
        <span>since ${at(row.status_since)} — ${gatewaySentence(row)}</span>`;
  const probe =
    row.next_probe_at === null || row.status !== 'DISABLED'
      ? ''
      : html` asked again ${whenText(row.next_probe_at.getTime(), zone, nowMs, clockSeconds)} ·`;
  const next =
    nextSlotAt === null
      ? ''
      : html` next slot ${whenText(nextSlotAt.getTime(), zone, nowMs, clockSeconds)} ·`;
  const walker = shard.worker === null ? 'walked by nobody now' : `walked by ${shard.worker}`;
  return html`<div class="standing ${row.stale ? 'stale hatch' : ''}">
    <span>${words}</span
    ><span class="right">${probe}${next} shard ${shard.number + 1} of ${shard.of}, ${walker}</span>
  </div>`;
}

function live(view: GatewayPage): Html {
  const { readings, row, nowMs, quarters, facts } = view;
  if (readings.length === 0) return html`<p class="empty">It has no points.</p>`;
  const textOf = new Map(facts.map((fact) => [`${fact.unit_id} ${fact.key}`, fact.value]));
  const ageMs =
    row.last_polled_at === null ? null : Math.max(0, nowMs - row.last_polled_at.getTime());
  const severalUnits = row.units.length > 1;
  const valueCell = ({ point, value, quality }: PointReading): Html | string =>
    point.type === 'string'
      ? (textOf.get(`${point.unitId} ${point.key}`) ?? missing('Not read yet'))
      : value === null
        ? missing(qualityText(quality))
        : valueText(point, value);
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of live values">
    ${table<PointReading & { index: number }>(
      { className: 'live-values', caption: 'Live values' },
      readings.map((reading, index) => ({ ...reading, index })),
      [
        column(
          'point',
          '',
          ({ point }) =>
            html`<a href="?point=${encodeURIComponent(point.key)}&unit=${point.unitId}#h-chart"
                >${point.name}</a
              >${severalUnits ? html` <small class="muted">unit ${point.unitId}</small>` : ''}`,
        ),
        column('value', 'num', valueCell),
        column('age', 'num', ({ quality }) =>
          quality.quality !== 'GOOD'
            ? missing(qualityText(quality))
            : orMissing(ageMs, durationText, 'Not polled yet'),
        ),
        column('quality', '', ({ quality, point }) =>
          point.type === 'string' && textOf.has(`${point.unitId} ${point.key}`)
            ? 'good'
            : qualityText(quality),
        ),
        column('24 h', 'w2', ({ index, point }) =>
          point.type === 'string'
            ? ''
            : sparkline(
                quarters.map(({ mean }) => mean[index] ?? null),
                point.name,
              ),
        ),
      ],
    )}
  </div>`;
}

function pointChart(view: GatewayPage): Html {
  const { series, row } = view;
  if (series === null) return html`<p class="empty">No point of it is a number.</p>`;
  const { point, span, values } = series;
  const zone = zoneOf(view);
  const path = gatewayPath(row.id);
  const href = (of: UnitPoint, word: string) =>
    `${path}?point=${encodeURIComponent(of.key)}&unit=${of.unitId}&span=${encodeURIComponent(word)}#h-chart`;
  const choice = html`<form class="filters" method="get" action="${path}#h-chart">
    <input type="hidden" name="span" value="${span}" />
    <label
      ><span class="sr">Point</span
      ><select id="chart-point" name="point">
        ${view.points
          .filter(({ type }) => type !== 'string')
          .map(
            (one) =>
              html`<option
                value="${one.unitId}:${one.key}"
                ${one.key === point.key && one.unitId === point.unitId ? html`selected` : ''}
              >
                ${one.name}${row.units.length > 1 ? `, unit ${one.unitId}` : ''}
              </option>`,
          )}
      </select></label
    ><button type="submit">Show</button>
    <span class="tabs"
      >${Object.keys(chartSpans).map((word) => html`<a href="${href(point, word)}" ${word === span ? html`aria-current="true"` : ''}>${word}</a> `)}</span
    >
  </form>`;
  if (values.every(([, value]) => value === null))
    return html`${choice}
      <p class="empty">${point.name} has no value in these ${span}.</p>`;
  const unit = point.unit ?? '';
  const rows = values.filter(([, value]) => value !== null).toReversed();
  return html`${choice}
  ${chart(
    {
      name: 'point',
      series: {
        at: values.map(([atMs]) => atMs),
        value: values.map(([, value]) => value),
        unit,
        zone,
      },
      legend: html`<span><i></i>${point.name}${unit === '' ? '' : `, ${unit}`}</span>`,
      label: `${point.name} of the last ${span}`,
      region: `${point.name} as a table`,
      caption: `${point.name}${unit === '' ? '' : `, ${unit}`}`,
    },
    rows.slice(0, tableRowsMax),
    [
      column('time', '', ([atMs]) => whenText(atMs, zone, view.nowMs)),
      column(unit === '' ? 'value' : unit, 'num', ([, value]) => figure(value, 2, 'No value')),
    ],
  )}`;
}

/** The newest values of the chart's table; the export has all. */
const tableRowsMax = 200;

function alerts(view: GatewayPage): Html {
  const { nowMs, told } = view;
  const zone = zoneOf(view);
  if (view.alerts.length === 0) return html`<p class="muted">No alert in its history.</p>`;
  return html`<ol class="events">
    ${view.alerts.map((alert) => {
      const isOver = alert.state === 'RESOLVED';
      return html`<li id="event-${alert.id}">
        ${isOver ? doneMark() : mark(alert.severity)}
        <div class="line">
          <span><b>${isOver ? '' : alert.severity}</b> ${alert.message}</span
          >${view.mayAct && !isOver ? ackForm(alert, gatewayPath(view.row.id)) : ''}
        </div>
        <div class="muted">${alertLine(alert, zone, nowMs)}</div>
        ${toldLines(told, alert, { timezone: zone, nowMs })}
      </li>`;
    })}
  </ol>`;
}

function alertLine(alert: GatewayAlertRow, zone: string, nowMs: number): Html {
  const at = (when: Date) => time(when.getTime(), zone, nowMs);
  const unit = alert.unit === null ? '' : ` of unit ${alert.unit}`;
  const type = alert.type.toLowerCase().replaceAll('_', ' ');
  const span =
    alert.resolved_at === null
      ? html`since ${at(alert.started_at)}`
      : html`${at(alert.started_at)}–${at(alert.resolved_at)}`;
  const state =
    alert.state === 'ACKED'
      ? `acknowledged by ${alert.acked_by ?? 'somebody'}${alert.ack_comment === null ? '' : `: ${alert.ack_comment}`}`
      : alert.state === 'NEW'
        ? 'not acknowledged'
        : 'resolved';
  return html`${type}${unit} · ${span} · ${state}`;
}

/** "Ack" with a comment, unfolded in place. */
export function ackForm({ id, state, message }: GatewayAlertRow, back: string): Html {
  const fields = html`<input type="hidden" name="back" value="${back}" />
    <label
      ><span>Comment</span
      ><input id="ack-comment-${id}" name="comment" maxlength="500" autocomplete="off"
    /></label>`;
  return html`<details class="menu button-menu small" id="ack-${id}">
    <summary>
      ${state === 'ACKED' ? 'Change' : 'Ack'}<span class="sr"> alert: ${message}</span>
    </summary>
    ${sheetForm({ action: `${gatewaysPath}/alerts/${id}/ack`, fields, button: 'Acknowledge' })}
  </details>`;
}

function polls(view: GatewayPage): Html {
  const { nowMs } = view;
  if (view.polls.length === 0) return html`<p class="muted">Not polled yet.</p>`;
  return table<ReadingView>(
    { className: 'polls', caption: 'Last polls, newest first' },
    view.polls,
    [
      column('slot', '', ({ read_at: at }) =>
        whenText(at.getTime(), zoneOf(view), nowMs, clockSeconds),
      ),
      column('outcome', '', outcomeCell),
      column('late', 'num', ({ late_ms: ms }) =>
        orMissing(ms, (late) => `${late} ms`, 'Nothing was polled'),
      ),
      column('took', 'num', ({ duration_ms: ms }) =>
        orMissing(ms, (took) => `${took} ms`, 'Nothing was polled'),
      ),
      column('requests', 'num', ({ requests }) => orMissing(requests, String, 'Nothing was sent')),
    ],
  );
}

/** "ok", "missed (12 slots) no worker", "failed timeout" */
export function outcomeCell({ outcome, slots_missed: missed, trigger, reason }: ReadingView): Html {
  const count = missed > 1 ? ` (${missed} slots)` : '';
  const by = trigger === 'SCHEDULE' ? '' : trigger.toLowerCase().replace('_', ' ');
  const why = reason === null ? '' : reason.toLowerCase().replaceAll('_', ' ');
  return html`<span class="${outcome === 'OK' ? '' : 'strong'}"
      >${outcome.toLowerCase().replace('_', ' ')}${count}</span
    >${by && html` <small class="muted">${by}</small>`}${why && html` <small>${why}</small>`}`;
}

function readPlan({ refusals, quirks, facts }: GatewayPage): Html {
  const names = Object.entries(quirks);
  return html`<dl class="how">
    ${facts.map(
      ({ unit_id: unit, key, value }) =>
        html`<div>
          <dt>${key.replaceAll('_', ' ')} (unit ${unit})</dt>
          <dd>${value}</dd>
        </div>`,
    )}
    <div>
      <dt>Quirks</dt>
      <dd>
        ${names.length === 0 ? 'none' : names.map(([name, value]) => `${quirkWords(name)}: ${JSON.stringify(value)}`).join(', ')}
      </dd>
    </div>
    <div>
      <dt>Refused</dt>
      <dd>
        ${
          refusals.length === 0
            ? 'nothing'
            : html`<ul>
                ${refusals.map((one) => html`<li>unit ${one.unitId}, function ${one.function}, ${one.address}${one.count > 1 ? `–${one.address + one.count - 1}` : ''}: ${exceptionNames[one.code] ?? 'exception'} (${one.code})</li>`)}
              </ul>`
        }
      </dd>
    </div>
  </dl>`;
}

/** "pauseAfterConnectMs" → "pause after connect ms". */
function quirkWords(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function decisions(view: GatewayPage): Html {
  if (view.decisions.length === 0) return html`<p class="muted">Nobody has changed it yet.</p>`;
  return html`<ol class="events">
    ${view.decisions.map(
      ({ at, actor, action }) =>
        html`<li>
          ${doneMark()}
          <div class="line">
            <span>${action.replace('gateway.', '').replaceAll('_', ' ')}</span>
          </div>
          <div class="muted">${actor} · ${time(at.getTime(), zoneOf(view), view.nowMs)}</div>
        </li>`,
    )}
  </ol>`;
}
