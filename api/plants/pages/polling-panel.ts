import { html } from 'hono/html';

import { type PolledMinute, countByMinute } from '../../../db/plants/polling.ts';
import type { SlotCount } from '../../../db/plants/missed-slots.ts';
import { durationText } from '../../../domain/wording.ts';
import { type Fact, valueOf } from '../../../operations/diagnosis.ts';
import { lateness, pulse, slotCount } from '../../../operations/plants/figures.ts';
import { keptFor } from '../../kept.ts';
import { chart, decimal, type Html, missing } from '../../pages/components.ts';
import type { SystemPanel } from '../../system/page.ts';

/** How polling went in the last hour, on the System page. */

const minutesShown = 60;
/** Counting a day's slots of a large fleet costs a tenth of a second: not at every renewal of every page. */
const slotsKeptMs = 30_000;

interface Figures {
  /** Of each of the last whole minutes, the oldest first. */
  minutes: readonly PolledMinute[];
  latenessMs: { p50: number; p99: number } | null;
  slots: SlotCount;
  oldestDueAgeMs: number | null;
}

export function createPollingPanel(): SystemPanel {
  const keptSlotCount = keptFor(slotsKeptMs, slotCount);
  const readFigures: Fact<Figures> = async ({ db, clock }, look) => {
    const nowMs = clock();
    const [minutes, late, slots, polling] = await Promise.all([
      countByMinute(db, nowMs, minutesShown),
      look(lateness),
      look(keptSlotCount),
      look(pulse),
    ]);
    const { oldestDueAt } = valueOf(polling);
    return {
      // The running minute is not over: its count would read as a fall.
      minutes: minutes.slice(0, -1),
      latenessMs: valueOf(late),
      slots: valueOf(slots),
      oldestDueAgeMs: oldestDueAt === null ? null : Math.max(0, nowMs - oldestDueAt.getTime()),
    };
  };
  return async (look) => {
    const figures = await look(readFigures);
    return html`<h2 class="space">The last hour</h2>
      ${figures.isAway ? html`<p>Not known while PostgreSQL is away.</p>` : figuresContent(figures.value)}`;
  };
}

function figuresContent({ minutes, latenessMs, slots, oldestDueAgeMs }: Figures): Html {
  const newest = minutes.slice(-5);
  const rate = newest.reduce((sum, { polled }) => sum + polled, 0) / Math.max(1, newest.length);
  return html`<dl class="figures">
      <div>
        <dt>polls a minute, last 5 min</dt>
        <dd>${decimal(rate, rate < 10 ? 1 : 0)}</dd>
      </div>
      <div>
        <dt>lateness p50</dt>
        <dd>${latenessText(latenessMs?.p50)}</dd>
      </div>
      <div>
        <dt>lateness p99</dt>
        <dd>${latenessText(latenessMs?.p99)}</dd>
      </div>
      <div>
        <dt>slots missed in 24 h</dt>
        <dd>
          ${decimal(slots.missed, 0)}
          <small class="muted">of ${decimal(slots.due, 0)}</small>
        </dd>
      </div>
      <div>
        <dt>oldest slot still waiting</dt>
        <dd>${oldestDueAgeMs === null ? 'none' : durationText(oldestDueAgeMs)}</dd>
      </div>
    </dl>
    <section aria-labelledby="h-rate">
      <h2 id="h-rate">Polls a minute <small>last hour</small></h2>
      ${chart({
        name: 'polls',
        series: {
          polls: minutes.map(({ polled }) => polled),
          failed: minutes.map(({ failed }) => failed),
        },
        legend: html`<span><i></i>polls</span><span><i class="dashed"></i>failed</span>`,
        label: 'Polls of each minute of the last hour',
        region: 'Polls as a table',
        caption: 'Polls a minute',
        head: html`<th scope="col">minutes ago</th>
          <th scope="col" class="num">polls</th>
          <th scope="col" class="num">failed</th>`,
        rows: minutes.map(
          ({ polled, failed }, i) =>
            html`<tr>
              <th scope="row">${minutes.length - i}</th>
              <td class="num">${polled}</td>
              <td class="num">${failed}</td>
            </tr>`,
        ),
      })}
    </section>`;
}

function latenessText(ms: number | undefined): Html | string {
  if (ms === undefined) return missing('Nothing was polled in the last hour', { left: true });
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${decimal(ms / 1_000, 1)} s`;
}
