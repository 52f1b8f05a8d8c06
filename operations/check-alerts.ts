import type { AlertSubjects } from '../db/alerts.ts';
import {
  type FlawedAlert,
  findDoubledAlerts,
  findFlawedAlerts,
  hasDedupeIndex,
} from '../db/check-alerts.ts';
import type { Db } from '../db/database.ts';

/** The check of the alerts of plants or of gateways. */

export type AlertFlawKind =
  | 'ALERT_DOUBLED'
  | 'ALERT_INDEX_MISSING'
  | 'ALERT_EVENTS_BROKEN'
  | 'ALERT_UNLIKE_EVENTS';

export interface AlertFlawFound {
  kind: AlertFlawKind;
  /** null: it is no single subject's. */
  subjectId: string | null;
  at: Date | string | null;
  sentence: string;
}

/** @param of.fromMs alerts that ended before are not looked at. */
export async function checkAlerts(
  db: Db,
  { subjects, fromMs, listedMax }: { subjects: AlertSubjects; fromMs: number; listedMax: number },
): Promise<{
  flaws: AlertFlawFound[];
  truncated: boolean;
  counts: { alerts: number; alert_events: number };
}> {
  const doubled = await findDoubledAlerts(db, subjects, listedMax);
  const { alerts, total, ...checked } = await findFlawedAlerts(db, subjects, fromMs, listedMax);
  return {
    flaws: [
      ...((await hasDedupeIndex(db, subjects)) ? [] : [indexMissing]),
      ...doubled.map(({ subjectId, key, alertIds, startedAt: at }): AlertFlawFound => {
        const sentence = `${alertIds.length} active alerts of ${key}: ${alertIds.join(', ')}.`;
        return { kind: 'ALERT_DOUBLED', subjectId, at, sentence };
      }),
      ...alerts.map((alert): AlertFlawFound => {
        const isUnlike = ['NO_EVENT', 'STATE', 'SEVERITY'].includes(alert.flaw);
        const kind = isUnlike ? 'ALERT_UNLIKE_EVENTS' : 'ALERT_EVENTS_BROKEN';
        return {
          kind,
          subjectId: alert.subjectId,
          at: alert.at,
          sentence: alertSentence(alert),
        };
      }),
    ],
    truncated: total > alerts.length || doubled.length === listedMax,
    counts: { alerts: checked.alertsChecked, alert_events: checked.eventsChecked },
  };
}

const indexMissing: AlertFlawFound = {
  kind: 'ALERT_INDEX_MISSING',
  subjectId: null,
  at: null,
  sentence:
    'The database does not forbid a second active alert of one dedupe key: its unique index is missing.',
};

function alertSentence({ alertId, flaw, state, severity, event, before }: FlawedAlert): string {
  const step = event === null ? '' : `${event.from ?? 'nothing'} → ${event.to} ${event.severity}`;
  const after = before === null ? '' : `after ${before.to} ${before.severity}`;
  switch (flaw) {
    case 'NO_EVENT':
      return `Alert ${alertId} is ${state} ${severity} and has no event.`;
    case 'FIRST':
      return `The first event of alert ${alertId} is ${step}, not its rise to NEW.`;
    case 'BROKEN':
      return `Alert ${alertId} has the event ${step} ${after}: a transition between them is missing.`;
    case 'REPEATED':
      return `Alert ${alertId} has the event ${step} ${after}: nothing changed.`;
    case 'LOWERED':
      return `Alert ${alertId} has the event ${step} ${after}: nothing lowers an active alert.`;
    case 'RISE':
      return `Alert ${alertId} has the event ${step} ${after}: a rise makes an alert NEW.`;
    case 'STATE':
      return `Alert ${alertId} is ${state} and its last event says ${event?.to ?? 'nothing'}.`;
    case 'SEVERITY':
      return `Alert ${alertId} is ${severity} and its last event says ${event?.severity ?? 'nothing'}.`;
  }
}
