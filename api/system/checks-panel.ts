import { html } from 'hono/html';

import type { CheckRun } from '../../db/polling-checks.ts';
import { counted } from '../../domain/wording.ts';
import { newestChecks } from '../../operations/polling-summary.ts';
import {
  clockSeconds,
  column,
  type Column,
  type Html,
  statusMark,
  table,
} from '../pages/components.ts';
import type { SystemPanel } from './page.ts';

/** The panel of the System page about the automatic checks: when each last ran, and what it found. */

const marks = { ok: 'GREEN', degraded: 'YELLOW', down: 'RED' } as const;
/** Sentences of a run that unfold. */
const sentencesShown = 20;

const columns: readonly Column<CheckRun>[] = [
  column('check', '', ({ kind }) => html`<code>heliograph ${kind.toLowerCase()}</code>`),
  column('state', '', ({ state }) => statusMark(marks[state], state)),
  column('found', '', foundOf),
  column('ended', 'w2', ({ endedAt }) => timeOf(endedAt)),
];

function timeOf(at: Date): Html {
  const text = `${at.toISOString().slice(0, 10)} ${clockSeconds(at.getTime(), 'UTC')} UTC`;
  return html`<time datetime="${at.toISOString()}">${text}</time>`;
}

function foundOf({ kind, findings, kinds, sentences, counts }: CheckRun): Html | string {
  const looked = Object.entries(counts)
    .map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`)
    .join(', ');
  if (findings === 0) return `Nothing, in ${looked}.`;
  const words = Object.entries(kinds).map(([word, count]) => `${count} ${word}`);
  return html`${counted(findings, 'finding')}: ${words.join(', ')}
    <details class="data" id="check-${kind}">
      <summary>in words</summary>
      <ul>
        ${sentences.slice(0, sentencesShown).map((sentence) => html`<li>${sentence}</li>`)}
      </ul>
    </details>`;
}

export const checksPanel: SystemPanel = async (look) => {
  const runs = await look(newestChecks);
  return html`<h2 class="space">Automatic checks</h2>
    ${
      runs.isAway
        ? html`<p>Not known while PostgreSQL is away.</p>`
        : runs.value.length === 0
          ? html`<p>None has run yet: validate runs every 5 minutes, audit every 10.</p>`
          : table({ className: 'checks', caption: 'Automatic checks' }, runs.value, columns)
    }`;
};
