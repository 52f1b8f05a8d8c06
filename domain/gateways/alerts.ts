import {
  AlertBook,
  type ActiveAlert,
  type AlertChange,
  type Audience,
  type EndedAlert,
} from '../alerts.ts';
import { durationText, localTimeText, sentenceOf } from '../wording.ts';
import {
  type BadPoint,
  type GatewayFacts,
  type GatewayPlan,
  pointOfId,
  type Standing,
} from './facts.ts';
import { failureSentence } from './failure-words.ts';
import type { Priority } from './gateway.ts';
import { qualityOf } from './reading.ts';
import { isStale } from './status.ts';

/** Which alerts a gateway has. Their life and their announcements follow the same rules as those of plants. */

export type GatewayAlertType = 'GATEWAY_OFFLINE' | 'GATEWAY_DISABLED' | 'POINT_BAD' | 'UNIT_SILENT';

/** A point that is BAD for so many successful polls in a row raises POINT_BAD. */
export const badPollsMax = 10;
/** A unit that is silent for so many polls in a row that others answered raises UNIT_SILENT: OFFLINE takes as long. */
export const silentPollsMax = 5;

/** A gateway and its alerts before an evaluation. */
export interface GatewayAlertsBefore {
  facts: GatewayFacts;
  plan: GatewayPlan;
  priority: Priority;
  /** The plant's zone; UTC without a plant. */
  timezone: string;
  alertsSilencedUntilMs: number | null;
  active: readonly ActiveAlert<GatewayAlertType>[];
  ended: readonly EndedAlert<GatewayAlertType>[];
}

const offlineKey = { type: 'GATEWAY_OFFLINE', vendorAlarmCode: null, deviceSn: null } as const;
const disabledKey = { type: 'GATEWAY_DISABLED', vendorAlarmCode: null, deviceSn: null } as const;

/** POINT_BAD is kept apart by the point's key and its unit. @param id as `pointIdOf` gives it. */
function pointKey(id: string) {
  const { unitId, key } = pointOfId(id);
  return { type: 'POINT_BAD', vendorAlarmCode: key, deviceSn: unitId } as const;
}

const unitKey = (unitId: string) =>
  ({ type: 'UNIT_SILENT', vendorAlarmCode: null, deviceSn: unitId }) as const;

/**
 * The changes of a gateway's alerts by its standing.
 *
 * @param isOurNetwork our network fails, or failed lately: a problem speaks for the gateways that are offline.
 */
export function decideGatewayAlerts(
  before: GatewayAlertsBefore,
  standing: Standing,
  { nowMs, isOurNetwork }: { nowMs: number; isOurNetwork: boolean },
): AlertChange<GatewayAlertType>[] {
  const book = new AlertBook(before, audienceOf(before, standing, isOurNetwork), nowMs);
  const { status } = standing;
  if (before.plan.reason === 'REMOVED') {
    for (const alert of before.active) book.resolve(alert, 'The gateway was removed.');
  } else if (status === 'DISABLED') {
    book.report({ ...disabledKey, severity: 'RED', message: disabledSentence(before) });
  } else {
    judgeOffline(book, before, standing, nowMs);
    if (isRead(before, standing, nowMs)) judgeParts(book, before);
  }
  book.remind();
  return book.changes;
}

/**
 * What must be announced, as for plants: not while a person silenced or paused the gateway. RED is told at once, YELLOW by
 * day. While the gateway does not answer at all its points and units say nothing new, and while it is switched off that alert
 * speaks for the one before.
 */
function audienceOf(
  { timezone, alertsSilencedUntilMs, plan }: GatewayAlertsBefore,
  { status }: Standing,
  isOurNetwork: boolean,
): Audience {
  const isAway = status === 'OFFLINE' || status === 'DISABLED';
  return {
    timezone,
    silencedUntilMs: alertsSilencedUntilMs,
    isPaused: plan.reason !== 'ACTIVE' && plan.reason !== 'DISABLED',
    isWithheld: (type) => {
      if (type === 'GATEWAY_DISABLED') return false;
      if (type === 'GATEWAY_OFFLINE') return isOurNetwork || status === 'DISABLED';
      return isAway;
    },
    isUrgent: ({ severity }) => severity === 'RED',
  };
}

/** Whether polls of ours read the gateway now: only then its points and its return are judged. */
function isRead(
  { facts, plan }: GatewayAlertsBefore,
  { status }: Standing,
  nowMs: number,
): boolean {
  const isGood = status === 'ONLINE' || status === 'DEGRADED';
  return isGood && facts.lastSeenAtMs !== null && !isStale(facts, plan, nowMs);
}

function judgeOffline(
  book: AlertBook<GatewayAlertType>,
  before: GatewayAlertsBefore,
  standing: Standing,
  nowMs: number,
): void {
  if (before.plan.reason === 'ACTIVE') book.resolve(disabledKey, 'The gateway is polled again.');
  // A paused gateway is not asked: its silence says nothing.
  if (standing.status === 'OFFLINE') {
    const severity = before.priority === 'HIGH' ? 'RED' : 'YELLOW';
    book.report({ ...offlineKey, severity, message: offlineSentence(before) });
  } else if (isRead(before, standing, nowMs)) {
    book.resolve(offlineKey, 'The gateway answers again.');
  }
}

function judgeParts(book: AlertBook<GatewayAlertType>, before: GatewayAlertsBefore): void {
  const { badPoints, silentUnits } = before.facts;
  for (const [id, bad] of Object.entries(badPoints))
    if (bad.polls >= badPollsMax)
      book.report({ ...pointKey(id), severity: 'YELLOW', message: badSentence(id, bad) });
  for (const [unitId, polls] of Object.entries(silentUnits))
    if (polls >= silentPollsMax)
      book.report({
        ...unitKey(unitId),
        severity: 'YELLOW',
        message: silentSentence(unitId, polls),
      });
  for (const alert of before.active) {
    const { type, vendorAlarmCode, deviceSn } = alert;
    if (type === 'POINT_BAD' && badPoints[`${deviceSn}/${vendorAlarmCode}`] === undefined)
      book.resolve(alert, 'The point is good again, or it is not read any more.');
    if (type === 'UNIT_SILENT' && silentUnits[deviceSn ?? ''] === undefined)
      book.resolve(alert, 'The unit answers again, or it is not read any more.');
  }
}

function offlineSentence({ facts, timezone }: GatewayAlertsBefore): string {
  const { lastSeenAtMs, lastFailure } = facts;
  const seen =
    lastSeenAtMs === null
      ? 'It has never answered'
      : `It has not answered since ${localTimeText(lastSeenAtMs, timezone)}`;
  return lastFailure === null ? `${seen}.` : `${seen}: ${failureSentence(lastFailure)}`;
}

function disabledSentence({ facts, timezone }: GatewayAlertsBefore): string {
  const { consecutiveFailures, failingSinceMs, lastFailure, disabledAtMs } = facts;
  const since = failingSinceMs === null ? '' : ` since ${localTimeText(failingSinceMs, timezone)}`;
  const over =
    failingSinceMs === null || disabledAtMs === null
      ? ''
      : `, within ${durationText(disabledAtMs - failingSinceMs)}`;
  const last = lastFailure === null ? '' : ` The last one: ${failureSentence(lastFailure)}`;
  return `${consecutiveFailures} polls in a row failed${since}${over}, so it is switched off. It is probed after 1, 2, 4 … 60 min and returns when it answers twice.${last}`;
}

function badSentence(id: string, { polls, code }: BadPoint): string {
  const { unitId, key } = pointOfId(id);
  return sentenceOf(`${key} of unit ${unitId} is bad for ${polls} polls: ${badWhy(code)}`);
}

function badWhy(code: number): string {
  const quality = qualityOf(code);
  if (quality.quality !== 'BAD') return 'it has no value';
  switch (quality.why) {
    case 'EXCEPTION':
      return `the device refuses it with exception ${quality.code}`;
    case 'RANGE':
      return 'its value is outside of its valid range';
    case 'STEP':
      return 'its counter jumped by more than it can';
    case 'LENGTH':
      return 'its answer has the wrong length';
  }
}

function silentSentence(unitId: string, polls: number): string {
  return `Unit ${unitId} has not answered ${polls} polls in a row, while other units do.`;
}
