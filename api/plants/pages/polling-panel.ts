import { html } from 'hono/html';

import { type PolledMinute, countByMinute } from '../../../db/plants/polling.ts';
import { durationText } from '../../../domain/wording.ts';
import { type Fact, valueOf } from '../../../operations/diagnosis.ts';
import { lateness, pulse, slotCount } from '../../../operations/plants/figures.ts';
import { keptFor } from '../../kept.ts';
import { chart, column, decimal, type Html, missing } from '../../pages/components.ts';
import type { SystemPanel } from '../../system/page.ts';

/** The panel of the System page about polling in the last hour. */

const minutesShown = 60;
/** Counting a day's slots of a large fleet takes 0.1 s, so the count is kept for this time, ms. */
const slotsKeptMs = 30_000;

/** Each panel keeps its own count of slots. */
export function createPollingPanel(): SystemPanel {
  const keptSlotCount = keptFor(slotsKeptMs, slotCount);
  const content: Fact<Html> = async ({ db, clock }, look) => {
    const nowMs = clock();
    const [minutes, late, slots, polling] = await Promise.all([
      countByMinute(db, nowMs, minutesShown),
      look(lateness),
      look(keptSlotCount),
      look(pulse),
    ]);
    const lateMs = valueOf(late);
    const { missed, due } = valueOf(slots);
    const { oldestDueAt } = valueOf(polling);
    // The current minute is incomplete, so its count would look like a fall.
    const whole = minutes.slice(0, -1);
    const figures: [string, Html | string][] = [
      ['polls a minute, last 5 min', rateText(whole.slice(-5))],
      ['lateness p50', latenessText(lateMs?.p50)],
      ['lateness p99', latenessText(lateMs?.p99)],
      [
        'slots missed in 24 h',
        html`${decimal(missed, 0)} <small class="muted">of ${decimal(due, 0)}</small>`,
      ],
      [
        'oldest slot still waiting',
        oldestDueAt === null ? 'none' : durationText(Math.max(0, nowMs - oldestDueAt.getTime())),
      ],
    ];
    return html`<dl class="figures">
        ${figures.map(
          ([name, figure]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${figure}</dd>
            </div>`,
        )}
      </dl>
      ${minutesChart(whole)}`;
  };
  return async (look) => {
    const shown = await look(content);
    return html`<h2 class="space">The last hour</h2>
      ${shown.isAway ? html`<p>Not known while PostgreSQL is away.</p>` : shown.value}`;
  };
}

function rateText(minutes: readonly PolledMinute[]): string {
  const polls = minutes.reduce((sum, { polled }) => sum + polled, 0);
  const rate = polls / Math.max(1, minutes.length);
  return decimal(rate, rate < 10 ? 1 : 0);
}

function latenessText(ms: number | undefined): Html | string {
  if (ms === undefined) return missing('Nothing was polled in the last hour', { left: true });
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${decimal(ms / 1_000, 1)} s`;
}

function minutesChart(minutes: readonly PolledMinute[]): Html {
  return html`<section aria-labelledby="h-rate">
    <h2 id="h-rate">Polls a minute <small>last hour</small></h2>
    ${chart(
      {
        name: 'polls',
        series: {
          polls: minutes.map(({ polled }) => polled),
          failed: minutes.map(({ failed }) => failed),
        },
        legend: html`<span><i></i>polls</span><span><i class="dashed"></i>failed</span>`,
        label: 'Polls of each minute of the last hour',
        region: 'Polls as a table',
        caption: 'Polls a minute',
      },
      minutes.map((minute, i) => ({ ...minute, ago: minutes.length - i })),
      [
        column('minutes ago', '', ({ ago }) => String(ago)),
        column('polls', 'num', ({ polled }) => String(polled)),
        column('failed', 'num', ({ failed }) => String(failed)),
      ],
    )}
  </section>`;
}
