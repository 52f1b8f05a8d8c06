import { html } from 'hono/html';

import type { ProblemView } from '../../../db/notifications/problems.ts';
import { durationText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { column, type Html, statusMark, table, time } from '../../pages/components.ts';
import { busyText, sheetForm } from '../../pages/forms.ts';

/** The states that a tab of the page of alerts shows. */
export const problemStatesOfTab = {
  active: ['OPEN', 'ACKNOWLEDGED'],
  acknowledged: ['ACKNOWLEDGED'],
  resolved: ['CLOSED'],
} as const;

/** Problems on the page of alerts: what needs a person and is no alert of a plant. Empty if there is none. */
export function problemsPart(
  problems: readonly ProblemView[],
  { href, nowMs, zone }: { href: string; nowMs: number; zone: ReaderZone },
): Html {
  if (problems.length === 0) return html``;
  const list = table({ className: 'notes', caption: 'Problems', named: 1, idOf }, problems, [
    column('severity', '', ({ severity }) => statusMark(severity)),
    column(
      'problem',
      '',
      ({ subject_kind: kind, subject_id: id, code }) =>
        html`${id} <small class="muted">${kind} ${code}</small>`,
    ),
    column('what', '', ({ message }) => message),
    column('since', '', ({ opened_at: at, closed_at: end }) => {
      const durationMs = (end?.getTime() ?? nowMs) - at.getTime();
      return html`${time(at.getTime(), zone ?? 'UTC', nowMs)}
        <small class="muted">${durationText(Math.max(0, durationMs))}</small>`;
    }),
    column('state', '', (problem) => stateWords(problem, { nowMs, timezone: zone ?? 'UTC' })),
    column(html`<span class="sr">action</span>`, '', (problem) => ackMenu(problem, href)),
  ]);
  return html`<h2>Problems</h2>
    <div class="wide space-after" tabindex="0" role="region" aria-label="Problems">${list}</div>`;
}

const idOf = ({ id }: ProblemView): string => `problem-${id}`;

function stateWords(
  problem: ProblemView,
  { nowMs, timezone }: { nowMs: number; timezone: string },
): Html {
  const { state, acked_by: by, ack_comment: comment, closed_at: end } = problem;
  if (state === 'OPEN') return html`<b>OPEN</b>`;
  if (state === 'CLOSED')
    return html`closed ${end === null ? '' : time(end.getTime(), timezone, nowMs)}`;
  return html`acknowledged by ${by ?? 'somebody'}${comment === null ? '' : html`: “${comment}”`}`;
}

function ackMenu(problem: ProblemView, back: string): Html {
  const { id, state, subject_id: subject, code, ack_comment: comment } = problem;
  if (state === 'CLOSED') return html``;
  const fields = html`<input type="hidden" name="back" value="${back}" />
    <label
      ><span>Comment</span
      ><textarea id="problem-comment-${id}" name="comment" maxlength="200" rows="2">
${comment ?? ''}</textarea>
    </label>`;
  return html`<details class="menu act small" id="ack-problem-${id}">
    <summary>
      ${state === 'OPEN' ? 'Ack' : 'Change'}<span class="sr"> problem ${subject} ${code}</span>
    </summary>
    ${sheetForm({ action: `/problems/${id}/ack`, fields, button: busyText('Acknowledge', 'acknowledging…') })}
  </details>`;
}
