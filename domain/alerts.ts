import { addDays, hourMs, instantOf, localDateAt, localMinutesAt } from './zone.ts';

/**
 * The life of alerts in every context: one active alert per key, NEW → ACKED → RESOLVED, and when it is announced. Each
 * context's rules decide which conditions raise an alert; `db/alerts.ts` writes the decisions. Instants are integer
 * milliseconds since the epoch.
 */

export type AlertSeverity = 'YELLOW' | 'RED';
export type AlertState = 'NEW' | 'ACKED' | 'RESOLVED';

/**
 * The dedupe key of an alert among those of its subject. `Type` lists the types of a context.
 *
 * @example { type: 'MOCK_FAULT', vendorAlarmCode: '2032', deviceSn: 'INV-1' }
 */
export interface AlertKey<Type extends string = string> {
  type: Type;
  /** Tells alerts of one type apart: the code of a vendor's alarm, or a word of our rules; null: the type has one alert. */
  vendorAlarmCode: string | null;
  /** The serial number of the part that the alert is about; null: the whole subject. */
  deviceSn: string | null;
}

export interface ActiveAlert<Type extends string = string> extends AlertKey<Type> {
  id: string;
  severity: AlertSeverity;
  state: 'NEW' | 'ACKED';
  startedAtMs: number;
  lastSeenAtMs: number;
  /** With ACKED: until when it holds, if a person gave a time. */
  ackedUntilMs: number | null;
  lastNotifiedAtMs: number | null;
  /** The earliest `not_before` of its announcements that were not dropped; null where it was never announced. */
  announcedNotBeforeMs: number | null;
  /** Was open before its subject was first asked: recorded, never announced. */
  muted: boolean;
}

/** An alert that ended in the last hours: a new one of the same key inherits when it was announced. */
export interface EndedAlert<Type extends string = string> extends AlertKey<Type> {
  /** A RED alert is announced although a YELLOW one of its key was. */
  severity: AlertSeverity;
  startedAtMs: number;
  resolvedAtMs: number;
  lastNotifiedAtMs: number | null;
}

/** A condition that holds now, and what its alert says if it is new. */
export interface Condition<Type extends string = string> extends AlertKey<Type> {
  severity: AlertSeverity;
  startedAtMs: number;
  /** One sentence for people. */
  message: string;
  /** The level and the words of the vendor or device that reported it; null if our rules did. */
  vendorLevel?: string | null;
  vendorText?: string | null;
  muted?: boolean;
}

/** A condition as the rules report it; without a start it began now. */
type Reported<Type extends string> = Omit<Condition<Type>, 'startedAtMs'> & {
  startedAtMs?: number;
};

/** What an alert says: our sentence, and what the vendor said. */
type AlertWords = Pick<Required<Condition>, 'message' | 'vendorLevel' | 'vendorText'>;

export interface NewAlert<Type extends string = string> extends Required<Condition<Type>> {
  /** Inherited from an alert of the same key that ended within 6 h, or now if it is announced. */
  lastNotifiedAtMs: number | null;
}

export type AnnouncementKind = 'RAISED' | 'ESCALATED' | 'REMINDER' | 'RECOVERED';

/** An announcement of an alert: a row of the outbox. */
export interface Announcement {
  kind: AnnouncementKind;
  /** Not sent before this instant: now if it is urgent, else by day. */
  notBeforeMs: number;
}

/** Each change of an alert with its announcement, in the order in which they are applied. */
export type AlertChange<Type extends string = string> =
  | { kind: 'RAISE'; alert: NewAlert<Type>; announce: Announcement | null }
  /** Its condition was seen again. `message`: what our rules say of it now; a vendor's words stay as they are. */
  | { kind: 'SEEN'; id: string; message?: string }
  /** A worse severity; an ACKED alert becomes NEW again by it. Its announcement takes the place of those not due yet. */
  | {
      kind: 'RISE';
      id: string;
      severity: AlertSeverity;
      words: AlertWords;
      announce: Announcement | null;
    }
  /** An acknowledgement whose `until` has passed. */
  | { kind: 'ACK_ENDED'; id: string }
  /** Announced again: the last time is over 6 h ago, or a silence ended. */
  | { kind: 'REMIND'; id: string; announce: Announcement }
  | {
      kind: 'RESOLVE';
      id: string;
      atMs: number;
      reason: string;
      /** Its announcements that were not due yet are dropped, and with them the time of the last one. */
      dropPending: boolean;
      announce: Announcement | null;
    }
  /** Began and ended unseen: stored NEW → RESOLVED, not announced. */
  | { kind: 'RECORD_ENDED'; alert: NewAlert<Type>; endedAtMs: number };

type Judged = { type: string; severity: AlertSeverity };

/** Whether and when a subject's alerts are announced. The functions hold the rules of its context. */
export interface Audience {
  /** The zone by whose clock it is day. */
  timezone: string;
  /** Until when a person silenced the subject; null: not at all. */
  silencedUntilMs: number | null;
  /** Nothing about the subject is announced, not even a recovery: for example, an operator has paused it. */
  isPaused: boolean;
  /** Whether an alert of this type is kept but not announced now, because something else speaks for it. */
  isWithheld(type: string): boolean;
  /** Whether people are woken for the alert. */
  isUrgent(alert: Judged): boolean;
}

/** An active alert is announced again after more than this. */
export const announceAgainAfterMs = 6 * hourMs;
/**
 * Announcements that are not urgent wait for the day, by the subject's clock: from 07:00, inclusive, to 20:00, exclusive.
 */
const tellFromMinutes = 7 * 60;
const tellToMinutes = 20 * 60;

export function isSameKey(a: AlertKey, b: AlertKey): boolean {
  return a.type === b.type && a.vendorAlarmCode === b.vendorAlarmCode && a.deviceSn === b.deviceSn;
}

function keyText({ type, vendorAlarmCode, deviceSn }: AlertKey): string {
  return JSON.stringify([type, vendorAlarmCode, deviceSn]);
}

/**
 * The alerts of one subject during one evaluation. The rules report what holds and resolve what has ended; `changes` lists
 * what to write, in order. There is one active alert per key, in the order NEW → ACKED → RESOLVED.
 *
 * @example
 * const book = new AlertBook({ active, ended }, audience, nowMs);
 * book.report({ type: 'OFFLINE', vendorAlarmCode: null, deviceSn: '7', severity: 'YELLOW', message: 'Unit 7 does not answer.' });
 * book.remind();
 * await applyAlertChanges(trx, subject, book.changes, { active, nowMs });
 */
export class AlertBook<Type extends string = string> {
  readonly changes: AlertChange<Type>[] = [];
  readonly #before: Readonly<Before<Type>>;
  readonly #audience: Audience;
  readonly #nowMs: number;
  /** By key; those raised in this evaluation have no id yet. */
  readonly #active = new Map<string, ActiveAlert<Type> | Condition<Type>>();
  /** Ids whose announcement, or whose end, this evaluation has decided already. */
  readonly #decided = new Set<string>();

  constructor(before: Readonly<Before<Type>>, audience: Audience, nowMs: number) {
    this.#before = before;
    this.#audience = audience;
    this.#nowMs = nowMs;
    for (const alert of before.active) this.#active.set(keyText(alert), alert);
  }

  /** The condition holds: a new alert, a rise, or the old one seen again. Nothing lowers an active alert. */
  report(reported: Reported<Type>): void {
    const condition = { startedAtMs: this.#nowMs, ...reported };
    const alert = this.#active.get(keyText(condition));
    if (alert === undefined) {
      this.#raise(condition);
    } else if ('id' in alert) {
      const { vendorLevel = null, vendorText = null, message } = condition;
      const words = { message, vendorLevel, vendorText };
      const isOurs = vendorLevel === null && vendorText === null;
      if (alert.severity === 'YELLOW' && condition.severity === 'RED') this.#rise(alert, words);
      else this.changes.push({ kind: 'SEEN', id: alert.id, ...(isOurs ? { message } : {}) });
    }
  }

  /** The condition has ended; without an active alert of its key nothing happens. */
  resolve(key: AlertKey<Type>, reason: string, endedAtMs: number = this.#nowMs): void {
    const alert = this.#active.get(keyText(key));
    if (alert === undefined || !('id' in alert)) return;
    this.#active.delete(keyText(key));
    this.#decided.add(alert.id);
    const atMs = Math.max(alert.startedAtMs, Math.min(endedAtMs, this.#nowMs));
    const recovery = announceRecovery(alert, this.#audience, this.#nowMs);
    this.changes.push({ kind: 'RESOLVE', id: alert.id, atMs, reason, ...recovery });
  }

  /** An alert that began and ended unseen: recorded, not announced. */
  recordEnded(condition: Condition<Type>, endedAtMs: number): void {
    this.changes.push({
      kind: 'RECORD_ENDED',
      alert: newAlert(condition, null),
      endedAtMs: Math.max(condition.startedAtMs, Math.min(endedAtMs, this.#nowMs)),
    });
  }

  /** Ends acknowledgements whose time is over and announces what is due for the alerts that stay. Call it last. */
  remind(): void {
    for (const alert of this.#before.active) {
      if (this.#decided.has(alert.id)) continue;
      const isAckOver = alert.state === 'ACKED' && (alert.ackedUntilMs ?? Infinity) <= this.#nowMs;
      if (isAckOver) this.changes.push({ kind: 'ACK_ENDED', id: alert.id });
      const standing: ActiveAlert<Type> = isAckOver ? { ...alert, state: 'NEW' } : alert;
      const announce = reminderOf(standing, this.#audience, this.#nowMs);
      if (announce !== null) this.changes.push({ kind: 'REMIND', id: alert.id, announce });
    }
  }

  /** The active alerts as they stand now; an acknowledged one counts as any other. */
  standing(): { type: Type; severity: AlertSeverity }[] {
    return [...this.#active.values()].map(({ type, severity }) => ({ type, severity }));
  }

  #raise(condition: Condition<Type>): void {
    const { announce, lastNotifiedAtMs } = announceRaise(
      condition,
      this.#before.ended,
      this.#audience,
      this.#nowMs,
    );
    this.#active.set(keyText(condition), condition);
    this.changes.push({ kind: 'RAISE', alert: newAlert(condition, lastNotifiedAtMs), announce });
  }

  #rise(alert: ActiveAlert<Type>, words: AlertWords): void {
    const risen = { ...alert, severity: 'RED', state: 'NEW', ackedUntilMs: null } as const;
    this.#active.set(keyText(alert), risen);
    this.#decided.add(alert.id);
    const announce = announceRise(risen, this.#audience, this.#nowMs);
    this.changes.push({ kind: 'RISE', id: alert.id, severity: 'RED', words, announce });
  }
}

/** The subject's alerts before an evaluation. */
interface Before<Type extends string> {
  active: readonly ActiveAlert<Type>[];
  /** Those resolved or announced within the last 6 h. */
  ended: readonly EndedAlert<Type>[];
}

function newAlert<Type extends string>(
  condition: Condition<Type>,
  lastNotifiedAtMs: number | null,
): NewAlert<Type> {
  return { vendorLevel: null, vendorText: null, muted: false, ...condition, lastNotifiedAtMs };
}

/** Whether anything is announced at all: not while a person silenced the subject, nor while it is paused. */
function isAudible({ silencedUntilMs, isPaused }: Audience, nowMs: number): boolean {
  return !isPaused && (silencedUntilMs === null || nowMs >= silencedUntilMs);
}

/** Whether the alert itself is announced; its recovery is announced whenever the alert was. */
function isTellable(alert: Judged, audience: Audience, nowMs: number): boolean {
  return isAudible(audience, nowMs) && !audience.isWithheld(alert.type);
}

/** An announcement of the alert, with the earliest time at which it may be sent. */
function announcement(
  kind: AnnouncementKind,
  alert: Judged,
  audience: Audience,
  nowMs: number,
): Announcement {
  const isNow = kind !== 'RECOVERED' && audience.isUrgent(alert);
  return { kind, notBeforeMs: isNow ? nowMs : nextTellingTime(audience.timezone, nowMs) };
}

/** Now, if it is day; else the next 07:00 by the subject's clock. */
function nextTellingTime(timezone: string, nowMs: number): number {
  const minutes = localMinutesAt(nowMs, timezone);
  if (minutes >= tellFromMinutes && minutes < tellToMinutes) return nowMs;
  const today = localDateAt(nowMs, timezone);
  return instantOf(minutes < tellFromMinutes ? today : addDays(today, 1), '07:00', timezone);
}

/** The announcement of a new alert, or the time of the one that its key had within the last 6 h. */
export function announceRaise(
  alert: Pick<Condition, keyof AlertKey | 'severity' | 'muted'>,
  ended: readonly EndedAlert[],
  audience: Audience,
  nowMs: number,
): { announce: Announcement | null; lastNotifiedAtMs: number | null } {
  const inheritedMs = inheritedFrom(alert, ended, nowMs);
  const isTold = inheritedMs !== null && nowMs - inheritedMs <= announceAgainAfterMs;
  if (isTold || alert.muted === true || !isTellable(alert, audience, nowMs)) {
    return { announce: null, lastNotifiedAtMs: inheritedMs };
  }
  const announce = announcement('RAISED', alert, audience, nowMs);
  return { announce, lastNotifiedAtMs: announce.notBeforeMs };
}

/**
 * When an ended alert of the same key was last announced, ms. The 6 h count from that announcement, not from the end: a
 * vendor may state an end that was long ago. A RED alert does not inherit from a YELLOW one.
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
    // An announcement that was not due when its alert ended was dropped.
    if (lastNotifiedAtMs === null || lastNotifiedAtMs > nowMs) continue;
    newestMs = Math.max(newestMs ?? lastNotifiedAtMs, lastNotifiedAtMs);
  }
  return newestMs;
}

/** A rise to RED is announced at once, whatever was announced before. */
export function announceRise(
  alert: Judged,
  audience: Audience,
  nowMs: number,
): Announcement | null {
  if (!isTellable(alert, audience, nowMs)) return null;
  return announcement('ESCALATED', alert, audience, nowMs);
}

/**
 * The announcement that is due for an active alert: its first one if a silence withheld it, else a reminder; null: none is
 * due. Also for subjects that are not polled.
 */
export function reminderOf(
  alert: ActiveAlert,
  audience: Audience,
  nowMs: number,
): Announcement | null {
  const { announcedNotBeforeMs, lastNotifiedAtMs } = alert;
  const isMuted = alert.muted && lastNotifiedAtMs === null;
  if (alert.state !== 'NEW' || isMuted || !isTellable(alert, audience, nowMs)) return null;
  const lastMs = Math.max(lastNotifiedAtMs ?? -Infinity, announcedNotBeforeMs ?? -Infinity);
  if (nowMs - lastMs <= announceAgainAfterMs) return null;
  const kind = announcedNotBeforeMs === null ? 'RAISED' : 'REMINDER';
  return announcement(kind, alert, audience, nowMs);
}

/**
 * What the end of an alert does to its announcements: those that are not due yet are dropped; a recovery is announced if
 * the alert was.
 */
export function announceRecovery(
  alert: ActiveAlert,
  audience: Audience,
  nowMs: number,
): { dropPending: boolean; announce: Announcement | null } {
  const { announcedNotBeforeMs } = alert;
  const wasTold = announcedNotBeforeMs !== null && announcedNotBeforeMs <= nowMs;
  const isTold = wasTold && isAudible(audience, nowMs);
  return {
    dropPending: announcedNotBeforeMs !== null,
    announce: isTold ? announcement('RECOVERED', alert, audience, nowMs) : null,
  };
}
