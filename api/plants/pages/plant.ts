import { plantPath } from '../../pages/paths.ts';
import { html } from 'hono/html';

import type { PlantView } from '../../../db/plants/plants.ts';
import type { PollLogRow } from '../../../db/plants/poll-logs.ts';
import { brandName, type Outcome, type Status } from '../../../domain/plants/plant.ts';
import type { LocalDate, ReaderZone } from '../../../domain/zone.ts';
import { durationText, powerText } from '../../../domain/wording.ts';
import { notPolledSince, plantSentence } from '../../../operations/plants/plant-view.ts';
import type { PlantDetail } from '../../../operations/plants/read-plant.ts';
import { ackMenu, alertCost, alertState, alertType, spanField } from './alert-parts.ts';
import {
  chart,
  clockSeconds,
  column,
  type Column,
  decimal,
  doneMark,
  figure,
  type Html,
  mark,
  moon,
  orMissing,
  table,
  time,
  whenText,
} from '../../pages/components.ts';
import { busyText, sentInPlace, sheetForm } from '../../pages/forms.ts';
import { type Told, toldLines } from '../../told.ts';

/** The page of one plant: its status and why, its power and energy, its alerts and last polls. */

export interface DayEnergy {
  date: LocalDate;
  /** null: the day has no row. */
  kwh: number | null;
  final: boolean;
  /** Median of the 7 days before it, kWh; null with fewer than 3 complete ones. */
  medianKwh: number | null;
}

/** Power over the minutes of the plant's local day, kW; null if nothing was measured. */
export interface PowerDays {
  minutes: readonly number[];
  todayKw: readonly (number | null)[];
  yesterdayKw: readonly (number | null)[];
}

/** One plant with the values of its charts. `alerts` holds the active ones, then those that ended. */
export interface PlantPage extends PlantDetail {
  power: PowerDays;
  energy: readonly DayEnergy[];
  /** Nobody acts on a removed plant. */
  mayAct: boolean;
  zone: ReaderZone;
  mayRemove: boolean;
  /** What other areas show of the plant. */
  beside: Html;
  /** Who was told of its alerts. */
  told: Told;
}

export function plantContent(view: PlantPage): Html {
  const { plant } = view;
  const kw = plant.installed_capacity_kw;
  return html`<div class="head">
      <a href="/">‹ Fleet</a>
      <h1>
        ${plant.name} ${plant.is_night === true ? moon() : ''}
        <small
          >${[brandName(plant.brand), kw === null ? null : `${decimal(kw, kw % 1 === 0 ? 0 : 1)} kWp`, plant.timezone, plant.customer_id].filter((part) => part !== null).join(' · ')}</small
        >
      </h1>
      <div class="actions">
        ${view.mayAct ? actions(view) : ''}${view.workflowUrl === null || !view.mayAct ? '' : html`<a href="${view.workflowUrl}" rel="noreferrer">Temporal ↗</a>`}
      </div>
    </div>
    ${pollAnswer('')} ${standing(view)} ${warningList(view)} ${view.beside}
    <div class="columns">
      <section aria-labelledby="h-power">
        <h2 id="h-power">Power today over yesterday <small>kW, plant time</small></h2>
        ${powerChart(view)}
      </section>
      <section aria-labelledby="h-energy">
        <h2 id="h-energy">Energy, last 30 days <small>kWh a day</small></h2>
        ${energyChart(view)}
      </section>
    </div>
    <div class="columns">
      <section aria-labelledby="h-alerts">
        <h2 id="h-alerts">Alerts</h2>
        ${alertLine(view)}
      </section>
      <section aria-labelledby="h-polls" id="polls">
        <h2 id="h-polls">
          Last polls <small>every ${durationText(plant.poll_interval_s * 1_000)}</small>
        </h2>
        ${polls(view)}
      </section>
    </div>
    ${view.devices.length < 2 ? '' : devices(view)}`;
}

function actions({ plant, mayRemove, nowMs }: PlantPage): Html {
  const pausedWhy = whyNotPolled(plant);
  const poll = `${plantPath(plant.id)}/poll`;
  const pollButton =
    pausedWhy === null
      ? html`<button class="main" type="submit">${busyText('Poll now', 'polling…')}</button>`
      : html`<button class="main tip" type="button" aria-disabled="true" data-tip="${pausedWhy}">
          Poll now<span class="sr">: not possible. ${pausedWhy}</span>
        </button>`;
  return html`<form
      id="poll"
      method="post"
      action="${poll}"
      hx-post="${poll}"
      hx-target="#poll-answer"
      hx-select="#poll-answer"
      hx-swap="outerHTML"
      hx-sync="#live:replace"
      hx-disable="find button"
    >
      ${pollButton}
    </form>
    ${plant.integration_status === 'ACTIVE' ? pauseMenu(plant) : plant.integration_status === 'PENDING_DOCS' ? '' : resumeForm(plant)}
    ${silenceMenu(plant, nowMs)}${mayRemove ? removeMenu(plant) : ''}`;
}

/** Why the plant is not polled, and what to do; null while it is polled. */
function whyNotPolled(plant: PlantView): string | null {
  switch (plant.integration_status) {
    case 'ACTIVE':
      return null;
    case 'DISABLED_BY_OPERATOR':
      return 'The plant is paused: resume it first.';
    case 'PAUSED_AUTH_ERROR':
      if (plant.status_reason === 'NO_CREDENTIALS')
        return 'The account has no credentials yet: store some first.';
      return plant.status_reason === 'UNUSABLE_CREDENTIALS'
        ? 'The stored credentials cannot be used: store others first.'
        : 'The vendor refuses the credentials: store new ones, or resume to try again.';
    case 'PENDING_DOCS':
      return 'Its documents are not complete yet.';
  }
}

function pauseMenu({ id }: PlantView): Html {
  const fields = html`${spanField('pause-for', 'Pause', 'until it is resumed')}
    <label
      ><span>Reason</span><input id="pause-reason" name="reason" maxlength="200" autocomplete="off"
    /></label>`;
  return html`<details class="menu button-menu" id="pause">
    <summary>Pause</summary>
    ${sheetForm({
      action: `${plantPath(id)}/pause`,
      fields,
      button: 'Pause polling',
      focusNext: '#resume button',
    })}
  </details>`;
}

function resumeForm({ id }: PlantView): Html {
  return html`<form id="resume" ${sentInPlace(`${plantPath(id)}/resume`, '#pause > summary')}>
    <button type="submit">${busyText('Resume', 'resuming…')}</button
    ><span class="form-error" role="alert"></span>
  </form>`;
}

function silenceMenu(plant: PlantView, nowMs: number): Html {
  const action = `${plantPath(plant.id)}/silence`;
  if (silencedUntil(plant, nowMs) !== null)
    return html`<form id="unsilence" ${sentInPlace(action, '#silence > summary')}>
      <input type="hidden" name="for" value="0" /><button type="submit">End silence</button
      ><span class="form-error" role="alert"></span>
    </form>`;
  const fields = html`<p class="muted">Its alerts are kept, and not announced meanwhile.</p>
    ${spanField('silence-for', 'Silence', '')}
    <label
      ><span>Why</span><input id="silence-reason" name="reason" maxlength="200" autocomplete="off"
    /></label>`;
  return html`<details class="menu button-menu" id="silence">
    <summary>Silence</summary>
    ${sheetForm({ action, fields, button: 'Silence alerts', focusNext: '#unsilence button' })}
  </details>`;
}

function removeMenu({ id }: PlantView): Html {
  const fields = html`<p class="muted">
    Nothing polls it any more, and lists and totals leave it out. Its ledger and its days are kept.
  </p>`;
  return html`<details class="menu button-menu" id="remove">
    <summary>Remove</summary>
    ${sheetForm({ action: `${plantPath(id)}/remove`, fields, button: 'Remove this plant' })}
  </details>`;
}

/** The end of the silence of its alerts, ms; null if they are not silenced. */
function silencedUntil(plant: PlantView, nowMs: number): number | null {
  const untilMs = plant.alerts_silenced_until?.getTime() ?? null;
  return untilMs !== null && untilMs > nowMs ? untilMs : null;
}

function standing({ plant, nextSlotAt, nowMs, zone }: PlantPage): Html {
  const { stale, status } = plant;
  const timezone = zone ?? plant.timezone;
  const sentence = plantSentence(plant, nowMs, zone);
  const when = (at: Date): Html => time(at.getTime(), timezone, nowMs);
  const notPolled = notPolledSince(plant);
  const words = stale
    ? html`${mark('STALE')}
        <b>not polled since ${notPolled === null ? 'it was added' : when(notPolled)}</b>
        <span>before that ${status}: ${sentence}</span>`
    : html`${mark(status)} <b>${status}</b>
        <span>since ${when(plant.status_since)} — ${sentence}</span>`;
  const age =
    plant.last_seen_at === null
      ? html`no data yet`
      : html`data ${durationText(Math.max(0, nowMs - plant.last_seen_at.getTime()))}
        old${plant.last_seen_source === 'EVIDENCE' ? html` <span class="tip" tabindex="0" data-tip="This vendor states no measurement time: a running inverter or a rising total stands for it">(by evidence)</span>` : ''}`;
  const next =
    nextSlotAt === null
      ? ''
      : html` · next slot ${whenText(nextSlotAt.getTime(), timezone, nowMs, clockSeconds)}`;
  return html`<div class="standing ${stale ? 'stale hatch' : ''}">
    <span>${words}</span><span class="muted">night rule ${plant.status_profile}</span
    ><span class="right">${age}${next}</span>
  </div>`;
}

/** Settings that look wrong, for those who can correct them. */
function warningList({ warnings, mayAct }: PlantPage): Html {
  if (warnings.length === 0 || !mayAct) return html``;
  return html`<ul class="warnings" aria-label="Check its settings">
    ${warnings.map(({ field, warning }) => html`<li>Check its settings: ${field.replaceAll('_', ' ')} ${warning}</li>`)}
  </ul>`;
}

function powerChart({ power, plant }: PlantPage): Html {
  const isEmpty = [...power.todayKw, ...power.yesterdayKw].every((kw) => kw === null);
  if (isEmpty) return html`<p class="empty">No power was measured today or yesterday.</p>`;
  const series = { minutes: power.minutes, today: power.todayKw, yesterday: power.yesterdayKw };
  const rows = power.minutes.flatMap((minute, i) => {
    const today = power.todayKw[i] ?? null;
    const yesterday = power.yesterdayKw[i] ?? null;
    return today === null && yesterday === null ? [] : [{ minute, today, yesterday }];
  });
  return chart(
    {
      name: 'power',
      series,
      legend: html`<span><i></i>today</span><span><i class="dashed"></i>yesterday</span>`,
      label: "Power today and yesterday, kW over the plant's day",
      region: 'Power as a table',
      caption: `Power, kW, ${plant.timezone}`,
    },
    rows,
    [
      column('time', '', ({ minute }) => minuteText(minute)),
      column('today', 'num', ({ today }) => figure(today, 2, 'Not measured')),
      column('yesterday', 'num', ({ yesterday }) => figure(yesterday, 2, 'Not measured')),
    ],
  );
}

function minuteText(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function energyChart({ energy: days }: PlantPage): Html {
  if (days.every((day) => day.kwh === null))
    return html`<p class="empty">No energy was booked in the last 30 days.</p>`;
  const series = {
    dates: days.map((day) => day.date),
    kwh: days.map((day) => day.kwh),
    final: days.map((day) => day.final),
    median: days.map((day) => day.medianKwh),
  };
  return chart(
    {
      name: 'energy',
      series,
      legend: html`<span><i class="box"></i>final</span
        ><span><i class="box hatched"></i>not final</span
        ><span><i class="line"></i>median of 7 days</span>`,
      label: 'Energy of the last 30 days, kWh a day',
      region: 'Energy as a table',
      caption: 'Energy a day, kWh',
    },
    days.toReversed(),
    [
      column('day', '', ({ date }) => date),
      column('kWh', 'num', ({ kwh }) => figure(kwh, 1, 'No data of this day')),
      column('median of 7 days', 'num', ({ medianKwh }) =>
        figure(medianKwh, 1, 'Fewer than 3 complete days of the 7 before'),
      ),
      column('quality', '', ({ kwh, final }) =>
        kwh === null ? 'gap' : final ? 'final' : 'not final',
      ),
    ],
  );
}

function alertLine(view: PlantPage): Html {
  const { plant, alerts, told, mayAct, nowMs } = view;
  const timezone = view.zone ?? plant.timezone;
  if (alerts.length === 0) return html`<p class="muted">No alert in its history.</p>`;
  return html`<ol class="events">
    ${alerts.map((alert) => {
      const started = alert.started_at.getTime();
      const isOver = alert.state === 'RESOLVED';
      const end = alert.resolved_at?.getTime() ?? null;
      const span = isOver
        ? html`${time(started, timezone, nowMs)}–${end === null ? '' : time(end, timezone, nowMs)}`
        : html`since ${time(started, timezone, nowMs)}, seen
          ${time(alert.last_seen_at.getTime(), timezone, nowMs)}`;
      const cost = alertCost(alert);
      return html`<li id="event-${alert.id}">
        ${isOver ? doneMark() : mark(alert.severity)}
        <div class="line">
          <span><b>${isOver ? '' : alert.severity}</b> ${alert.message}</span
          >${mayAct && !isOver ? ackMenu(alert, plantPath(plant.id)) : ''}
        </div>
        <div class="muted">
          ${alertType(alert)}${alert.device_sn === null ? '' : ` on ${alert.device_sn}`} ·
          ${span}${cost === '' ? '' : ` · ${cost}`} ·
          ${isOver ? 'resolved' : alertState(alert, view)}
        </div>
        ${toldLines(told, alert, { timezone, nowMs })}
      </li>`;
    })}
  </ol>`;
}

const outcomeWords: Readonly<Record<Outcome, string>> = {
  OK: 'ok',
  PARTIAL: 'partial',
  FAILED: 'failed',
  SKIPPED_LOCKED: 'skipped, locked elsewhere',
  SKIPPED_INACTIVE: 'skipped, not active',
  MISSED: 'missed',
};

function polls({ polls: lines, plant, nowMs, zone }: PlantPage): Html {
  if (lines.length === 0) return html`<p class="muted">Not polled yet.</p>`;
  const columns: Column<PollLogRow>[] = [
    column('slot', '', (line) =>
      whenText(line.scheduled_for.getTime(), zone ?? plant.timezone, nowMs, clockSeconds),
    ),
    column('outcome', '', pollOutcome),
    column('late', 'num', (line) => orMissing(line.late_ms, lateText, 'Nothing was polled')),
    column('took', 'num', (line) => orMissing(line.duration_ms, tookText, 'Nothing was polled')),
    column('power', 'num', (line) =>
      orMissing(line.power_w, powerText, 'The answer held no power'),
    ),
  ];
  return table({ className: 'polls', caption: 'Last polls, newest first' }, lines, columns);
}

/** What became of a closing. Without the vendor's series the day is closed by what polls measured, and asked for again. */
function closingWords(outcome: Outcome): string {
  if (outcome === 'OK') return 'day closed';
  return outcome === 'PARTIAL'
    ? "day closed without the vendor's series"
    : `day not closed: ${outcomeWords[outcome]}`;
}

function pollOutcome({ job_type, outcome, slots_missed, trigger, error }: PollLogRow): Html {
  const what = job_type === 'DAILY' ? closingWords(outcome) : outcomeWords[outcome];
  const missed = slots_missed !== null && slots_missed > 1 ? ` (${slots_missed} slots)` : '';
  const by = trigger === 'SCHEDULE' ? '' : trigger.toLowerCase().replace('_', ' ');
  return html`<span class="${outcome === 'OK' ? '' : 'strong'}">${what}${missed}</span
    >${by && html` <small class="muted">${by}</small>`}${error && html`<br /><small>${error}</small>`}`;
}

function lateText(lateMs: number): string {
  return lateMs < 1_000
    ? `${lateMs} ms`
    : lateMs < 120_000
      ? `${decimal(lateMs / 1_000, 1)} s`
      : durationText(lateMs);
}

function tookText(durationMs: number): string {
  return durationMs < 10_000 ? `${durationMs} ms` : `${decimal(durationMs / 1_000, 1)} s`;
}

function devices({ devices: rows, plant, nowMs, zone }: PlantPage): Html {
  const unsaid = 'The vendor did not say';
  const columns: Column<(typeof rows)[number]>[] = [
    column('serial number', '', ({ sn }) => sn),
    column('state', '', ({ state }) => state.toLowerCase()),
    column('power', 'num', ({ powerW }) => orMissing(powerW, powerText, unsaid)),
    column('today kWh', 'num', ({ todayEnergyKwh }) => figure(todayEnergyKwh, 1, unsaid)),
    column('measured', 'num', ({ measuredAtMs }) =>
      orMissing(measuredAtMs, (atMs) => time(atMs, zone ?? plant.timezone, nowMs), unsaid),
    ),
  ];
  return html`<section aria-labelledby="h-devices">
    <h2 id="h-devices">Devices</h2>
    <div class="wide" tabindex="0" role="region" aria-label="Table of devices">
      ${table({ caption: 'Devices' }, rows, columns)}
    </div>
  </section>`;
}

/** The place of the answer to "Poll now"; a renewal of the page does not change it. */
export function pollAnswer(words: string): Html {
  const text = words === '' ? '' : html`<p><b>Poll now:</b> ${words}</p>`;
  return html`<div class="answer" id="poll-answer" role="status" hx-morph-skip>${text}</div>`;
}

/** The outcome of a poll that a person asked for: "ok, 310 ms, 41.7 kW, no change". */
export function pollAnswerText(view: {
  outcome: Outcome;
  durationMs: number | null;
  powerW: number | null;
  error: string | null;
  statusBefore: Status;
  statusAfter: Status;
}): string {
  const parts = [outcomeWords[view.outcome]];
  if (view.durationMs !== null) parts.push(tookText(view.durationMs));
  if (view.powerW !== null) parts.push(powerText(view.powerW));
  if (view.error !== null) parts.push(view.error);
  else
    parts.push(
      view.statusBefore === view.statusAfter
        ? 'no change'
        : `${view.statusBefore} became ${view.statusAfter}`,
    );
  return parts.join(', ');
}
