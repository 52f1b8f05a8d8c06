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

/** Reads who was told of alerts, the oldest first. */
export type ReadTold = (alertIds: readonly number[]) => Promise<ToldLine[]>;

/** "raised: told op@example.org by mail 09:12"; one line for each. */
export function toldLines(told: readonly ToldLine[], timezone: string, nowMs: number): Html {
  const whom = ({ recipient, channel_name: channel }: ToldLine) =>
    recipient === '' ? channel : `${recipient} by ${channel}`;
  return html`${told.map(
    (line) =>
      html`<div class="muted">
        ${line.kind.toLowerCase()}: ${line.state === 'SENT' ? 'told' : 'not reached:'} ${whom(line)}
        ${time(line.at.getTime(), timezone, nowMs)}
      </div>`,
  )}`;
}
