import { html } from 'hono/html';

import type { AlertSeverity } from '../domain/alerts.ts';
import { type Html, time } from './pages/components.ts';

/** Who was told of an alert: notifications know it, and whoever shows alerts shows it. */

export interface ToldLine {
  alert_id: number;
  /** RAISED, ESCALATED, REMINDER, RECOVERED. */
  kind: string;
  severity: AlertSeverity;
  channel_name: string;
  channel_kind: string;
  /** An e-mail address; empty where the channel has one receiver. */
  recipient: string;
  /** SENT; DEAD: it was given up. */
  state: string;
  at: Date;
}

/** Who was told of alerts. */
export interface Told {
  /** The oldest first. */
  lines: readonly ToldLine[];
  /** What was told before it is no longer known, because it was pruned; null: all is known. */
  knownFrom: Date | null;
}

/** What whoever may not know is shown. */
export const nobodyTold: Told = { lines: [], knownFrom: null };

export type ReadTold = (alertIds: readonly number[]) => Promise<Told>;

/**
 * "raised: told op@example.org by mail 09:12"; one line for each that tells of the alert, and a line that says so where they
 * were pruned.
 */
export function toldLines(
  told: Told,
  alert: { id: number; resolved_at: Date | null },
  { timezone, nowMs }: { timezone: string; nowMs: number },
): Html {
  const lines = told.lines.filter((line) => line.alert_id === alert.id);
  const isPruned =
    told.knownFrom !== null && alert.resolved_at !== null && alert.resolved_at < told.knownFrom;
  const pruned = html`<div class="muted">who was told was removed by a prune</div>`;
  const whom = ({ recipient, channel_name: channel }: ToldLine) =>
    recipient === '' ? channel : `${recipient} by ${channel}`;
  return html`${lines.length === 0 && isPruned ? pruned : ''}${lines.map(
    (line) =>
      html`<div class="muted">
        ${line.kind.toLowerCase()}: ${line.state === 'SENT' ? 'told' : 'not reached:'} ${whom(line)}
        ${time(line.at.getTime(), timezone, nowMs)}
      </div>`,
  )}`;
}
