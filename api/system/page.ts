import { html } from 'hono/html';

import { offsetText } from '../../domain/zone.ts';
import type { ApiDeps } from '../deps.ts';
import {
  clockSeconds,
  column,
  type Column,
  type Html,
  mark,
  statusMark,
  table,
} from '../pages/components.ts';
import type { Diagnosis, Finding, Look, State } from '../../operations/diagnosis.ts';
import { databaseVersions, temporalVersion } from '../../operations/servers.ts';

/** The System page: the diagnosis, the panels of the contexts, and the versions. */

/** Makes the part of the page that belongs to one context. */
export type SystemPanel = (look: Look) => Promise<Html>;

const marks = { ok: 'GREEN', degraded: 'YELLOW', down: 'RED' } as const;

const stateSentences: Readonly<Record<State, string>> = {
  ok: 'Heliograph works.',
  degraded: 'Heliograph works, with something missing.',
  down: 'Heliograph does not work.',
};

const fleetSentences: Readonly<Record<State, string>> = {
  ok: 'Nothing fails in the fleet.',
  degraded: 'Something fails in the fleet: see its checks.',
  down: 'The whole fleet fails: see its checks.',
};

const checkColumns = (zone: string): readonly Column<Finding>[] => [
  column('check', '', ({ component }) => component),
  column('state', '', ({ state }) => statusMark(marks[state], state)),
  column('figure', '', figureOf),
  column('taken', 'w2', ({ takenAtMs }) => {
    const text = `${clockSeconds(takenAtMs, zone)} ${offsetText(takenAtMs, zone)}`;
    return html`<time datetime="${new Date(takenAtMs).toISOString()}">${text}</time>`;
  }),
  column('what to do', '', ({ advice }) => advice ?? html`<span class="muted">–</span>`),
];

/** The sentence, and what it counts, which unfolds. */
function figureOf({ component, sentence, subjects = [] }: Finding): Html | string {
  if (subjects.length === 0) return sentence;
  return html`${sentence}
    <details class="data" id="subjects-${component}">
      <summary>${subjects.length} by name</summary>
      <ul>
        ${subjects.map(
          ({ facts, sentence: says }) =>
            html`<li><b>${Object.values(facts)[0] ?? ''}</b>: ${says}</li>`,
        )}
      </ul>
    </details>`;
}

export async function systemContent(
  { version }: Pick<ApiDeps, 'version'>,
  { state, fleet, findings, look }: Diagnosis,
  panels: readonly SystemPanel[],
  zone: string,
): Promise<Html> {
  const [database, temporal, ...figures] = await Promise.all([
    look(databaseVersions),
    look(temporalVersion),
    ...panels.map((panel) => panel(look)),
  ]);
  const versions = [
    ['Heliograph', version],
    ['Node', process.versions.node],
    ['PostgreSQL', database.isAway ? 'not known' : database.value.postgres],
    ['Temporal', temporal.isAway ? 'not known' : temporal.value],
  ];
  return html`<div class="head">
      <h1>System</h1>
      <p class="status">
        ${mark(marks[state])}<b>${state}</b><span>${stateSentences[state]}</span>
      </p>
      <p class="status" id="fleet-state">
        ${mark(marks[fleet])}<b>fleet ${fleet}</b><span>${fleetSentences[fleet]}</span>
      </p>
    </div>
    ${table({ className: 'checks', caption: 'Checks' }, findings, checkColumns(zone))} ${figures}
    <h2 class="space">Versions</h2>
    <dl class="facts">
      ${versions.map(
        ([name, text]) =>
          html`<dt>${name}</dt>
            <dd>${text}</dd>`,
      )}
    </dl>`;
}
