import type { Announcement, NotificationKind } from './changes.ts';
import type {
  ActiveAlert,
  AlertKey,
  AlertSeverity,
  AlertType,
  EndedAlert,
  PlantFacts,
} from './facts.ts';
import { withheldTypes } from './incidents.ts';
import { addDays, hourMs, instantOf, localDateAt, localMinutesAt } from '../zone.ts';

/**
 * When an alert is announced: when it is NEW, not silenced, and was never announced or last over 6 h ago. Nobody is woken
 * but for a RED vendor alarm.
 */

/** LOCKED: an alert is announced again after more than this. */
export const announceAgainAfterMs = 6 * hourMs;
/** When people are told, by the plant's clock: from 07:00, inclusive, to 20:00, exclusive. */
const tellFromMinutes = 7 * 60;
const tellToMinutes = 20 * 60;

/** What announcing looks at of a plant. */
export interface Audience extends Pick<
  PlantFacts,
  'timezone' | 'integrationStatus' | 'alertsSilencedUntilMs'
> {
  /** Its brand does not answer: an incident speaks for what comes of that. */
  inIncident: boolean;
}

/** Whether anything is announced at all: not while a person silenced the plant, nor while an operator has it paused. */
function isAudible(plant: Audience, nowMs: number): boolean {
  const { alertsSilencedUntilMs, integrationStatus } = plant;
  const isSilenced = alertsSilencedUntilMs !== null && nowMs < alertsSilencedUntilMs;
  return !isSilenced && integrationStatus !== 'DISABLED_BY_OPERATOR';
}

/** Whether the alert itself is announced: not one that a brand's incident speaks for. A recovery is, where the alert was. */
function isTellable(alert: { type: AlertType }, plant: Audience, nowMs: number): boolean {
  return isAudible(plant, nowMs) && !(plant.inIncident && withheldTypes.has(alert.type));
}

/** An announcement of the alert, with the earliest time at which it may be sent. */
function announcement(
  kind: NotificationKind,
  alert: { type: AlertType; severity: AlertSeverity },
  plant: Audience,
  nowMs: number,
): Announcement {
  const isUrgent = alert.type === 'MOCK_FAULT' && alert.severity === 'RED' && kind !== 'RECOVERED';
  return { kind, notBeforeMs: isUrgent ? nowMs : nextTellingTime(plant.timezone, nowMs) };
}

/** Now, if it is day; else the next 07:00 by the plant's clock. */
function nextTellingTime(timezone: string, nowMs: number): number {
  const minutes = localMinutesAt(nowMs, timezone);
  if (minutes >= tellFromMinutes && minutes < tellToMinutes) return nowMs;
  const today = localDateAt(nowMs, timezone);
  return instantOf(minutes < tellFromMinutes ? today : addDays(today, 1), '07:00', timezone);
}

/** What is due to a new alert: its announcement, or the memory of the one that its key had a short while ago. */
export function announceRaise(
  alert: AlertKey & { severity: AlertSeverity; muted: boolean },
  ended: readonly EndedAlert[],
  plant: Audience,
  nowMs: number,
): { announce: Announcement | null; lastNotifiedAtMs: number | null } {
  const inheritedMs = inheritedFrom(alert, ended, nowMs);
  const isTold = inheritedMs !== null && nowMs - inheritedMs <= announceAgainAfterMs;
  if (isTold || alert.muted || !isTellable(alert, plant, nowMs)) {
    return { announce: null, lastNotifiedAtMs: inheritedMs };
  }
  const announce = announcement('RAISED', alert, plant, nowMs);
  return { announce, lastNotifiedAtMs: announce.notBeforeMs };
}

/**
 * When an ended alert of the same key was last announced, ms. The 6 h count from that announcement, not from the end: a
 * vendor may state an end that was long ago. A RED alert takes nothing from a YELLOW one.
 */
function inheritedFrom(
  alert: AlertKey & { severity: AlertSeverity },
  ended: readonly EndedAlert[],
  nowMs: number,
): number | null {
  let newestMs: number | null = null;
  for (const other of ended) {
    const { lastNotifiedAtMs } = other;
    if (!isSameKey(other, alert)) continue;
    if (alert.severity === 'RED' && other.severity === 'YELLOW') continue;
    // One that was still to come when its alert ended was dropped with it.
    if (lastNotifiedAtMs === null || lastNotifiedAtMs > nowMs) continue;
    newestMs = Math.max(newestMs ?? lastNotifiedAtMs, lastNotifiedAtMs);
  }
  return newestMs;
}

export function isSameKey(a: AlertKey, b: AlertKey): boolean {
  return a.type === b.type && a.vendorAlarmCode === b.vendorAlarmCode && a.deviceSn === b.deviceSn;
}

/** A rise to RED is announced at once, whatever was announced before. */
export function announceRise(
  alert: { type: AlertType; severity: AlertSeverity },
  plant: Audience,
  nowMs: number,
): Announcement | null {
  return isTellable(alert, plant, nowMs) ? announcement('ESCALATED', alert, plant, nowMs) : null;
}

/**
 * The announcement that is due to an alert that stays: its first one, where a silence withheld it, or a reminder. null
 * where none is due. Also for plants that are not polled.
 */
export function reminderOf(
  alert: ActiveAlert,
  plant: Audience,
  nowMs: number,
): Announcement | null {
  const { announcedNotBeforeMs, lastNotifiedAtMs } = alert;
  const isMuted = alert.muted && lastNotifiedAtMs === null;
  if (alert.state !== 'NEW' || isMuted || !isTellable(alert, plant, nowMs)) return null;
  const lastMs = Math.max(lastNotifiedAtMs ?? -Infinity, announcedNotBeforeMs ?? -Infinity);
  if (nowMs - lastMs <= announceAgainAfterMs) return null;
  return announcement(announcedNotBeforeMs === null ? 'RAISED' : 'REMINDER', alert, plant, nowMs);
}

/** What the end of an alert does to its announcements: those to come are dropped; a recovery is told where the alert was. */
export function announceRecovery(
  alert: ActiveAlert,
  plant: Audience,
  nowMs: number,
): { dropPending: boolean; announce: Announcement | null } {
  const { announcedNotBeforeMs } = alert;
  const wasTold = announcedNotBeforeMs !== null && announcedNotBeforeMs <= nowMs;
  return {
    dropPending: announcedNotBeforeMs !== null,
    announce:
      wasTold && isAudible(plant, nowMs) ? announcement('RECOVERED', alert, plant, nowMs) : null,
  };
}
