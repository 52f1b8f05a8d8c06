import { html } from 'hono/html';

import { durationText } from '../../domain/wording.ts';
import { chart, decimal, type Html, mark, missing } from '../pages/components.ts';

/** Whether Heliograph itself is well. */

export type CheckState = 'ok' | 'degraded' | 'down';

export interface SystemCheck {
  name: string;
  state: CheckState;
  /** What was measured, in words with its unit. */
  figure: string;
  takenAtMs: number;
  /** What to do; null where all is well. */
  advice: string | null;
}

export interface SystemPage {
  state: CheckState;
  checks: readonly SystemCheck[];
  polls: {
    /** Of each of the last whole minutes, the oldest first. */
    perMinute: readonly number[];
    failedPerMinute: readonly number[];
    /** Of the last hour; null where nothing was polled. */
    latenessMs: { p50: number; p99: number } | null;
  };
  /** Missed in the last 24 h, and of how many that were due. */
  slotsMissed: { missed: number; due: number };
  oldestDueSlotAgeMs: number | null;
  versions: readonly (readonly [string, string])[];
}

const marks = { ok: 'GREEN', degraded: 'YELLOW', down: 'RED' } as const;

const stateSentences: Readonly<Record<CheckState, string>> = {
  ok: 'Everything works.',
  degraded: 'It works, with something missing.',
  down: 'It does not work.',
};

export function systemContent(view: SystemPage): Html {
  const { polls } = view;
  const perMinute = polls.perMinute.slice(-5);
  const rate = perMinute.reduce((sum, count) => sum + count, 0) / Math.max(1, perMinute.length);
  return html`<div class="head">
      <h1>System</h1>
      <p class="status">
        ${mark(marks[view.state])}<b>${view.state}</b><span>${stateSentences[view.state]}</span>
      </p>
    </div>
    <table class="checks" role="table">
      <caption class="sr">
        Checks
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col">check</th>
          <th scope="col">state</th>
          <th scope="col">figure</th>
          <th scope="col" class="w2">taken (UTC)</th>
          <th scope="col">what to do</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${view.checks.map(
          (check) =>
            html`<tr role="row">
              <th role="rowheader" scope="row">${check.name}</th>
              <td role="cell">
                <span class="status">${mark(marks[check.state])}<b>${check.state}</b></span>
              </td>
              <td role="cell">${check.figure}</td>
              <td role="cell" class="w2">
                <time datetime="${new Date(check.takenAtMs).toISOString()}"
                  >${new Date(check.takenAtMs).toISOString().slice(11, 19)}</time
                >
              </td>
              <td role="cell" class="${check.advice === null ? 'none' : ''}">
                ${check.advice ?? html`<span class="muted">–</span>`}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
    <h2 class="space">The last hour</h2>
    <dl class="figures">
      <div>
        <dt>polls a minute, last 5 min</dt>
        <dd>${decimal(rate, rate < 10 ? 1 : 0)}</dd>
      </div>
      <div>
        <dt>lateness p50</dt>
        <dd>
          ${polls.latenessMs === null ? missing('Nothing was polled in the last hour', { left: true }) : msText(polls.latenessMs.p50)}
        </dd>
      </div>
      <div>
        <dt>lateness p99</dt>
        <dd>
          ${polls.latenessMs === null ? missing('Nothing was polled in the last hour', { left: true }) : msText(polls.latenessMs.p99)}
        </dd>
      </div>
      <div>
        <dt>slots missed in 24 h</dt>
        <dd>
          ${decimal(view.slotsMissed.missed, 0)}
          <small class="muted">of ${decimal(view.slotsMissed.due, 0)}</small>
        </dd>
      </div>
      <div>
        <dt>oldest slot still waiting</dt>
        <dd>
          ${view.oldestDueSlotAgeMs === null ? 'none' : durationText(view.oldestDueSlotAgeMs)}
        </dd>
      </div>
    </dl>
    <section aria-labelledby="h-rate">
      <h2 id="h-rate">Polls a minute <small>last hour</small></h2>
      ${chart({
        name: 'polls',
        series: { polls: polls.perMinute, failed: polls.failedPerMinute },
        legend: html`<span><i></i>polls</span><span><i class="dashed"></i>failed</span>`,
        label: 'Polls of each minute of the last hour',
        region: 'Polls as a table',
        caption: 'Polls a minute',
        head: html`<th scope="col">minutes ago</th>
          <th scope="col" class="num">polls</th>
          <th scope="col" class="num">failed</th>`,
        rows: polls.perMinute.map(
          (count, i) =>
            html`<tr>
              <th scope="row">${polls.perMinute.length - i}</th>
              <td class="num">${count}</td>
              <td class="num">${polls.failedPerMinute[i] ?? 0}</td>
            </tr>`,
        ),
      })}
    </section>
    <h2 class="space">Versions</h2>
    <dl class="facts">
      ${view.versions.map(
        ([name, version]) =>
          html`<dt>${name}</dt>
            <dd>${version}</dd>`,
      )}
    </dl>`;
}

function msText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${decimal(ms / 1_000, 1)} s`;
}
