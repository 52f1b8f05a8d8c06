import type * as Alerts from '../alerts.ts';
import type { AlertType, DayRow, DeviceFacts, LowGenerationStreak } from './facts.ts';
import type {
  AdapterErrorType,
  FailureScope,
  LastSeenSource,
  Outcome,
  Status,
  StatusReason,
} from './plant.ts';
import type { CredentialsFault } from './reading.ts';
import type { LocalDate } from '../zone.ts';

/** The decisions of a poll's rules; db only applies them. Instants are integer milliseconds since the epoch. */

/** The values of a poll after the guards, as the poll log stores them. */
export interface Booked {
  /** The date that the energy belongs to; null when it was refused as another day's. */
  bookedDate: LocalDate | null;
  todayEnergyKwh: number | null;
  powerW: number | null;
  lifetimeEnergyKwh: number | null;
  /** The vendor's measurement time, ms. */
  sourceTimeMs: number | null;
  /**
   * The plant's newest sign of life in this answer, ms: the measurement time; if the vendor states none, the attempt's time,
   * given proof of life; null without either.
   */
  seenAtMs: number | null;
  seenSource: LastSeenSource | null;
}

export interface DayChanges {
  booked: Booked;
  /** The row of `booked.bookedDate` after the poll; null: nothing is written. */
  row: DayRow | null;
  /** Dates of D-3 … D-1 whose series must be requested now, oldest first; often empty. */
  gaps: LocalDate[];
  /** Why a value was not booked, for the log. */
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

export type NewAlert = Alerts.NewAlert<AlertType>;
export type AlertChange = Alerts.AlertChange<AlertType>;

export interface AlertsChanges {
  plant: PlantChanges;
  alerts: AlertChange[];
  /** The vendor refused the credentials that are still stored: every ACTIVE plant of the account is paused. */
  pauseAccount: boolean;
}

/** How a poll went, for its row of the ledger. */
export interface PollOutcome {
  outcome: Extract<Outcome, 'OK' | 'PARTIAL' | 'FAILED'>;
  errorType: AdapterErrorType | null;
  /** Of a failed poll, see `VendorFailure`; absent otherwise, and in polls that were booked before it was known. */
  errorScope?: FailureScope;
  errorCertain?: boolean;
  /** With AUTH_FAILED, where the vendor was never shown the credentials. */
  credentials?: CredentialsFault;
  /** One redacted sentence for people; null when all is well. */
  error: string | null;
}

export interface PollChanges extends Pick<PollOutcome, 'outcome' | 'error'> {
  day: DayChanges | null;
  alerts: AlertsChanges;
}

/** A poll as it was booked: for the ledger, for the person who asked, and to repeat its answer after a crash. */
export interface BookedPoll extends PollOutcome {
  booked: Booked | null;
  /** Workflow time before the first attempt. */
  startedAtMs: number;
  /** Until the end of the last attempt. */
  durationMs: number;
  attempts: number;
}
