import { html } from 'hono/html';

import type { ApiDeps } from '../deps.ts';
import { type Html, mark } from '../pages/components.ts';
import { type Diagnosis, type Look, type State } from '../../operations/diagnosis.ts';
import { databaseVersions, temporalVersion } from '../../operations/servers.ts';

/** Whether Heliograph itself is well: the diagnosis, below it the panels of the contexts, and the versions. */

/** Figures of one context, as a part of the page. */
export type SystemPanel = (look: Look) => Promise<Html>;

const marks = { ok: 'GREEN', degraded: 'YELLOW', down: 'RED' } as const;

const stateSentences: Readonly<Record<State, string>> = {
  ok: 'Everything works.',
  degraded: 'It works, with something missing.',
  down: 'It does not work.',
};

export async function systemContent(
  { version }: Pick<ApiDeps, 'version'>,
  { state, findings, look }: Diagnosis,
  panels: readonly SystemPanel[],
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
        ${findings.map(
          (found) =>
            html`<tr role="row">
              <th role="rowheader" scope="row">${found.component}</th>
              <td role="cell">
                <span class="status">${mark(marks[found.state])}<b>${found.state}</b></span>
              </td>
              <td role="cell">${found.sentence}</td>
              <td role="cell" class="w2">
                <time datetime="${new Date(found.takenAtMs).toISOString()}"
                  >${new Date(found.takenAtMs).toISOString().slice(11, 19)}</time
                >
              </td>
              <td role="cell" class="${found.advice === undefined ? 'none' : ''}">
                ${found.advice ?? html`<span class="muted">–</span>`}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${figures}
    <h2 class="space">Versions</h2>
    <dl class="facts">
      ${versions.map(
        ([name, text]) =>
          html`<dt>${name}</dt>
            <dd>${text}</dd>`,
      )}
    </dl>`;
}
