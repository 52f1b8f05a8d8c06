import { countedSilenceMs, type DaylightPlace, litDaysSilenceMs } from '../daylight.ts';
import type { AlertSeverity, AlertType } from './facts.ts';
import type { IntegrationStatus, LastSeenSource, Status, StatusReason } from './plant.ts';
import { durationText, localTimeText, sentenceOf, sinceText } from '../wording.ts';
import { hourMs } from '../zone.ts';

/** The colour of a plant. It is derived at every evaluation and never set by hand. */

/** Older than this, exclusive: YELLOW. */
export const yellowAfterMs = 2 * hourMs;
/** Older than this, exclusive: RED, and OFFLINE is raised. */
export const redAfterMs = 24 * hourMs;

export interface StatusFacts extends DaylightPlace {
  integrationStatus: IntegrationStatus;
  activatedAtMs: number | null;
  lastSeenAtMs: number | null;
  /** Alerts NEW or ACKED: an acknowledged alert still counts. */
  activeAlerts: readonly { type: AlertType; severity: AlertSeverity }[];
  /** The status before. */
  status: Status;
  statusSinceMs: number;
}

export interface DecidedStatus {
  status: Status;
  reason: StatusReason;
  /** Changes only with the colour. */
  sinceMs: number;
}

const statusOf: Readonly<Record<StatusReason, Status>> = {
  PAUSED_AUTH_ERROR: 'GREY',
  NO_CREDENTIALS: 'GREY',
  UNUSABLE_CREDENTIALS: 'GREY',
  DISABLED_BY_OPERATOR: 'GREY',
  PENDING_DOCS: 'GREY',
  WAITING_FOR_FIRST_READING: 'GREY',
  NOT_SEEN_24H: 'RED',
  CRITICAL_ALERT: 'RED',
  NOT_SEEN_2H: 'YELLOW',
  LOW_GENERATION: 'YELLOW',
  SEEN_RECENTLY: 'GREEN',
};

export function decideStatus(facts: StatusFacts, nowMs: number): DecidedStatus {
  const reason = reasonOf(facts, nowMs);
  const status = statusOf[reason];
  return { status, reason, sinceMs: status === facts.status ? facts.statusSinceMs : nowMs };
}

/** Reasons in the order of precedence: the first that holds decides. */
function reasonOf(facts: StatusFacts, nowMs: number): StatusReason {
  const { integrationStatus, lastSeenAtMs, activeAlerts } = facts;
  if (integrationStatus !== 'ACTIVE') return integrationStatus;
  const isUnseen = isUnseenForADay(facts, nowMs);
  if (lastSeenAtMs === null && !isUnseen) return 'WAITING_FOR_FIRST_READING';
  if (isUnseen) return 'NOT_SEEN_24H';
  if (activeAlerts.some((alert) => alert.severity === 'RED')) return 'CRITICAL_ALERT';
  if (isUnseenForHours(facts, nowMs)) return 'NOT_SEEN_2H';
  if (activeAlerts.some((alert) => alert.type === 'LOW_GENERATION')) return 'LOW_GENERATION';
  return 'SEEN_RECENTLY';
}

/** Last seen more than 2 h ago; for a DAYLIGHT plant only time in which it should be awake counts. */
function isUnseenForHours(facts: StatusFacts, nowMs: number): boolean {
  const { lastSeenAtMs } = facts;
  return (
    lastSeenAtMs === null ||
    countedSilenceMs(facts, lastSeenAtMs, nowMs, yellowAfterMs) > yellowAfterMs
  );
}

/** Last seen more than 24 h ago; or never seen, 24 h or more after it became ACTIVE. */
export function isUnseenForADay(
  facts: Pick<StatusFacts, 'activatedAtMs' | 'lastSeenAtMs'> & DaylightPlace,
  nowMs: number,
): boolean {
  const { lastSeenAtMs, activatedAtMs } = facts;
  if (lastSeenAtMs !== null)
    return litDaysSilenceMs(facts, lastSeenAtMs, nowMs, redAfterMs) > redAfterMs;
  return activatedAtMs !== null && nowMs - activatedAtMs >= redAfterMs;
}

/** Whether the plant was seen within `ageMs`, inclusive, by the wall clock. Other rules use this as evidence. */
export function isSeenWithin(ageMs: number, lastSeenAtMs: number | null, nowMs: number): boolean {
  return lastSeenAtMs !== null && nowMs - lastSeenAtMs <= ageMs;
}

/** The facts that the sentence of a status names. */
export interface SentenceFacts {
  nowMs: number;
  timezone: string;
  lastSeenAtMs: number | null;
  lastSeenSource: LastSeenSource | null;
  activatedAtMs: number | null;
  /** Whether energy of any day is known. */
  hasDays: boolean;
  /** The error of the last poll; null when it had none, or there was none. */
  lastError: string | null;
  /** Messages of the active alerts of severity RED, and of LOW_GENERATION. */
  redAlerts: readonly string[];
  lowGenerationAlert: string | null;
  /** Why the account's credentials were refused last, as a sentence; null: not known. */
  refusal: string | null;
  /** Messages of the active alerts that the sentence must name, the worst first; those above may be among them. */
  otherAlerts: readonly string[];
}

/** The reason of a status in a few sentences for people, with the open alerts that it does not name itself. */
export function statusSentence(reason: StatusReason, facts: SentenceFacts): string {
  const isPolled = !notPolled.has(reason);
  const named = reason === 'CRITICAL_ALERT' ? facts.redAlerts : [];
  const others = isPolled ? facts.otherAlerts.filter((message) => !named.includes(message)) : [];
  const [first] = others;
  // The alert of failing polls quotes the error of the last one.
  const isErrorTold = facts.lastError !== null && first?.includes(facts.lastError) === true;
  const sentence = reasonSentence(reason, isErrorTold ? { ...facts, lastError: null } : facts);
  if (first === undefined) return sentence;
  // A red alert is named already; what else is open is counted.
  if (reason === 'CRITICAL_ALERT') return criticalSentence([...facts.redAlerts, ...others]);
  const alerts = `${sentenceOf(first)}${moreText(others.length - 1)}`;
  // Of a GREEN plant the alert is the news.
  return reason === 'SEEN_RECENTLY' ? `${alerts} ${sentence}` : `${sentence} ${alerts}`;
}

/** Reasons of a plant that is not polled: its alerts are old news. */
const notPolled: ReadonlySet<StatusReason> = new Set<StatusReason>([
  'PAUSED_AUTH_ERROR',
  'NO_CREDENTIALS',
  'UNUSABLE_CREDENTIALS',
  'DISABLED_BY_OPERATOR',
  'PENDING_DOCS',
]);

function reasonSentence(reason: StatusReason, facts: SentenceFacts): string {
  switch (reason) {
    case 'PAUSED_AUTH_ERROR':
      return `The vendor refuses the credentials of this account${facts.refusal === null ? '' : ` (${withoutStop(facts.refusal)})`}: store new ones and resume the plant.`;
    case 'NO_CREDENTIALS':
      return 'The account has no credentials yet: store some, and the plant is polled.';
    case 'UNUSABLE_CREDENTIALS':
      return `The stored credentials cannot be used${facts.refusal === null ? '' : ` (${withoutStop(facts.refusal)})`}: store others, and the plant is polled.`;
    case 'DISABLED_BY_OPERATOR':
      return 'Paused by an operator.';
    case 'PENDING_DOCS':
      return 'Not polled yet: its documents are not complete.';
    case 'WAITING_FOR_FIRST_READING':
      return waitingSentence(facts);
    case 'NOT_SEEN_24H':
      return facts.lastSeenAtMs === null ? neverSeenSentence(facts) : seenSentence(facts);
    case 'CRITICAL_ALERT':
      return criticalSentence(facts.redAlerts);
    case 'LOW_GENERATION':
      return facts.lowGenerationAlert ?? 'Generation is low compared with the last 7 days.';
    case 'NOT_SEEN_2H':
      return seenSentence(facts);
    case 'SEEN_RECENTLY':
      return `${seenSentence(facts)}${nightNote(facts)}`;
  }
}

const withoutStop = (sentence: string): string => sentence.replace(/[.]$/, '');

/** A vendor that states no measurement time gives readings before anything shows that the plant runs. */
function waitingSentence({ lastError, activatedAtMs, timezone, hasDays }: SentenceFacts): string {
  const since = activatedAtMs === null ? '' : ` since ${localTimeText(activatedAtMs, timezone)}`;
  const error = lastError === null ? '' : ` The last poll failed: ${sentenceOf(lastError)}`;
  const words = hasDays ? 'Not seen producing yet' : 'Waiting for the first reading';
  return `${words}${since}.${error}`;
}

function neverSeenSentence({ lastError, activatedAtMs, nowMs }: SentenceFacts): string {
  const since =
    activatedAtMs === null ? '' : `, ${durationText(nowMs - activatedAtMs)} after it was activated`;
  const error = lastError === null ? '' : ` The last poll failed: ${sentenceOf(lastError)}`;
  return `Never seen${since}.${error}`;
}

function seenSentence({ lastSeenAtMs, lastSeenSource, nowMs, timezone }: SentenceFacts): string {
  if (lastSeenAtMs === null) return 'Never seen.';
  const age = durationText(Math.max(0, nowMs - lastSeenAtMs));
  const how = lastSeenSource === 'EVIDENCE' ? ' by its running inverters or rising totals' : '';
  return `Last seen ${age} ago${how}, at ${sinceText(lastSeenAtMs, timezone, nowMs)}.`;
}

/** For a plant that is GREEN although unseen for more than 2 h, which only DAYLIGHT allows. */
function nightNote({ lastSeenAtMs, nowMs }: SentenceFacts): string {
  const isLong = lastSeenAtMs !== null && nowMs - lastSeenAtMs > yellowAfterMs;
  return isLong ? ' Less than 2 h of that was daylight.' : '';
}

function criticalSentence(redAlerts: readonly string[]): string {
  const [first] = redAlerts;
  if (first === undefined) return 'A critical alert is open.';
  return `${first}${moreText(redAlerts.length - 1)}`;
}

function moreText(more: number): string {
  return more === 0 ? '' : ` And ${more} more.`;
}
