import type {
  ActiveAlert,
  AlertKey,
  AlertSeverity,
  DayRow,
  DeviceFacts,
  LowGenerationStreak,
} from './facts.ts';
import type { AdapterErrorType, LastSeenSource, Outcome, Status, StatusReason } from './plant.ts';
import type { LocalDate } from '../zone.ts';

/** What the rules of a poll decide; db only applies it. Instants are integer milliseconds since the epoch. */

/** The values of a poll after the guards: they go to the poll log. */
export interface Booked {
  /** The date that the energy belongs to; null where it was refused as another day's. */
  bookedDate: LocalDate | null;
  todayEnergyKwh: number | null;
  powerW: number | null;
  lifetimeEnergyKwh: number | null;
  /** The vendor's measurement time, ms. */
  sourceTimeMs: number | null;
  /**
   * The plant's newest sign of life in this answer, ms: the measurement time, or, where the vendor states none, the
   * attempt's time if there is proof of life; null where there is neither.
   */
  seenAtMs: number | null;
  seenSource: LastSeenSource | null;
}

export interface DayChanges {
  booked: Booked;
  /** The row of `booked.bookedDate` as it must be afterwards; null: nothing is written. */
  row: DayRow | null;
  /** Dates of D-3 … D-1 whose series must be asked now, oldest first; often empty. */
  gaps: LocalDate[];
  /** For the log: why a value was not booked. */
  note: string | null;
}

/** Columns of `plants` that the loop owns. */
export interface PlantChanges {
  status: Status;
  statusReason: StatusReason;
  statusSinceMs: number;
  lastSeenAtMs: number | null;
  lastSeenSource: LastSeenSource | null;
  consecutiveFailures: number;
  lowGenerationStreak: LowGenerationStreak | null;
  alarmsCompleteAtMs: number | null;
  devices: readonly DeviceFacts[] | null;
}

export type NotificationKind = 'RAISED' | 'ESCALATED' | 'REMINDER' | 'RECOVERED';

/** A row of the outbox. */
export interface Announcement {
  kind: NotificationKind;
  /** Not sent before this instant: now for a RED vendor alarm, else within 07:00–20:00 plant time. */
  notBeforeMs: number;
}

export interface NewAlert extends AlertKey {
  severity: AlertSeverity;
  startedAtMs: number;
  /** One sentence for people. */
  message: string;
  /** Of a vendor alarm: the vendor's own level and words. */
  vendorLevel: string | null;
  vendorText: string | null;
  muted: boolean;
  /** Inherited from an alert of the same key that ended within 6 h, or now where it is announced. */
  lastNotifiedAtMs: number | null;
}

/** Each change of an alert with its announcement, in the order in which they are applied. */
export type AlertChange =
  | { kind: 'RAISE'; alert: NewAlert; announce: Announcement | null }
  /** Seen again, with what the vendor now says of it. */
  | { kind: 'SEEN'; id: ActiveAlert['id'] }
  /** A worse severity; an ACKED alert becomes NEW again by it. Its announcement takes the place of those not due yet. */
  | { kind: 'RISE'; id: ActiveAlert['id']; severity: AlertSeverity; announce: Announcement | null }
  /** An acknowledgement whose `until` has passed. */
  | { kind: 'ACK_ENDED'; id: ActiveAlert['id'] }
  /** Announced again: the last time is over 6 h ago, or a silence ended. */
  | { kind: 'REMIND'; id: ActiveAlert['id']; announce: Announcement }
  | {
      kind: 'RESOLVE';
      id: ActiveAlert['id'];
      atMs: number;
      reason: string;
      /** Its announcements that were not due yet are dropped, and with them the memory of having been told. */
      dropPending: boolean;
      announce: Announcement | null;
    }
  /** Began and ended unseen: stored NEW → RESOLVED, not announced. */
  | { kind: 'RECORD_ENDED'; alert: NewAlert; endedAtMs: number };

export interface AlertsChanges {
  plant: PlantChanges;
  alerts: AlertChange[];
  /** The vendor refused the credentials that are still stored: every ACTIVE plant of the account is paused. */
  pauseAccount: boolean;
}

export interface PollChanges {
  outcome: Extract<Outcome, 'OK' | 'PARTIAL' | 'FAILED'>;
  /** One sentence for the ledger, null when all is well. */
  error: string | null;
  day: DayChanges | null;
  alerts: AlertsChanges;
}

/** A poll as it was booked: for the ledger, for whoever asked, and to repeat its answer after a crash. */
export interface BookedPoll {
  outcome: Extract<Outcome, 'OK' | 'PARTIAL' | 'FAILED'>;
  errorType: AdapterErrorType | null;
  /** One redacted sentence; null when all is well. */
  error: string | null;
  booked: Booked | null;
  /** Workflow time before the first attempt. */
  startedAtMs: number;
  /** Until the end of the last attempt. */
  durationMs: number;
  attempts: number;
}
