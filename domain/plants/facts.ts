import type * as Alerts from '../alerts.ts';
import type { DeviceState, Reading, VendorFailure } from './reading.ts';
import type { IntegrationStatus, LastSeenSource, Status, StatusReason } from './plant.ts';
import type { StatusProfile } from '../daylight.ts';
import type { LocalDate } from '../zone.ts';

/**
 * The inputs of a poll's rules: the state before it and the vendor's answer. Instants are integer milliseconds
 * since the epoch (`…AtMs`), dates are the plant's.
 */

/** A plant as PostgreSQL holds it before the poll. */
export interface PlantFacts {
  plantId: string;
  timezone: string;
  latitude: number | null;
  longitude: number | null;
  installedCapacityKw: number | null;
  pollIntervalS: number;
  integrationStatus: IntegrationStatus;
  /** When it last became ACTIVE; null if it never was. */
  activatedAtMs: number | null;
  status: Status;
  statusReason: StatusReason;
  statusSinceMs: number;
  lastSeenAtMs: number | null;
  lastSeenSource: LastSeenSource | null;
  consecutiveFailures: number;
  alertsSilencedUntilMs: number | null;
  statusProfile: StatusProfile;
  /** Its inverters as last answered; null if it never showed two. */
  devices: readonly DeviceFacts[] | null;
  /** Consecutive verdicts on low generation during the day; null before the first. */
  lowGenerationStreak: LowGenerationStreak | null;
  /** When the last complete alarm answer was given; null before the first. */
  alarmsCompleteAtMs: number | null;
}

/** Consecutive equal verdicts of the running day, newest last. */
export interface LowGenerationStreak {
  date: LocalDate;
  /** Number of verdicts in a row below 30 % (if `below` is false: at or above 30 %). */
  verdicts: number;
  below: boolean;
  /** If `below`: how many of the newest verdicts in a row were below 10 %. */
  belowTen: number;
}

/** The stored facts of one inverter of a plant that has several. */
export interface DeviceFacts {
  sn: string;
  /** As it was last answered. */
  powerW: number | null;
  todayEnergyKwh: number | null;
  state: DeviceState;
  measuredAtMs: number | null;
  /** The highest power seen of each of the last 8 local dates, W. */
  peaksW: Readonly<Record<LocalDate, number>>;
  /** Number of fresh polls in a row in which it gave nothing while its siblings produced. */
  downStreak: number;
}

export type DayQuality = 'LIVE' | 'BACKFILLED' | 'FINAL';

/** One row of `metric_snapshots`. */
export interface DayRow {
  date: LocalDate;
  todayEnergyKwh: number;
  /** The highest power seen, W. */
  peakPowerW: number | null;
  /** The newest lifetime total of the day, kWh. */
  lifetimeEnergyKwh: number | null;
  quality: DayQuality;
  /** Its newest measurement lies at or after sunset − 90 min, or its value came from the vendor's day series. */
  complete: boolean;
  lastSeenAtMs: number | null;
  /** The last total that a live reading booked, even if the series changed the day since; null if none did. */
  liveEnergyKwh: number | null;
}

/** One of the last 7 days before today, for the median at a local time. */
export interface DayAtTime {
  date: LocalDate;
  /** The plant's total at the same local time of that day, kWh; null when the closing stored none. */
  totalAtTimeKwh: number | null;
}

export type { AlertSeverity, AlertState } from '../alerts.ts';
export type AlertType = 'OFFLINE' | 'LOW_GENERATION' | 'MOCK_FAULT' | 'API_ERROR' | 'DEVICE_DOWN';

/** The dedupe key of an alert among those of its plant. */
export type AlertKey = Alerts.AlertKey<AlertType>;
export type ActiveAlert = Alerts.ActiveAlert<AlertType>;
export type EndedAlert = Alerts.EndedAlert<AlertType>;
export type Book = Alerts.AlertBook<AlertType>;

/** The closing's verdict on low generation; `ratio` is the day's total divided by the median. */
export interface ClosingVerdict {
  date: LocalDate;
  /** null: no verdict, `note` says why. */
  severity: Alerts.AlertSeverity | 'NORMAL' | null;
  ratio: number | null;
  note: string;
}

/** The result of asking the vendor. */
export type PollResult =
  | { kind: 'READING'; reading: Reading }
  | {
      kind: 'FAILURE';
      failure: VendorFailure;
      /** Whether the refused credentials are still the stored ones; a refusal of the account pauses it only then. */
      credentialsCurrent: boolean;
    };

/** State before the snapshot step. */
export interface DayBefore {
  plant: PlantFacts;
  /** The rows that exist of today (the plant's date at `now`) and the 7 days before it, any order. */
  days: readonly DayRow[];
  /** Days whose series gave no value since the last closing or the last long absence. */
  askedInVain: readonly LocalDate[];
}

/** State before the alert step. */
export interface AlertsBefore {
  plant: PlantFacts;
  /** As in DayBefore, but after the snapshot step. */
  days: readonly DayRow[];
  /** The last 7 days before today, for the running day's comparison at the measurement's local time. */
  daysAtTime: readonly DayAtTime[];
  active: readonly ActiveAlert[];
  /** The open incident of its brand, or of all brands; null when there is none. */
  incident: {
    /** Refused credentials of its brand are held: they pause no account. */
    held: boolean;
  } | null;
  /** Whether its account has credentials, right or wrong ones. */
  hasCredentials: boolean;
  /** Alerts of this plant resolved within the last 6 h, and stored vendor alarms that began within the alarm window. */
  ended: readonly EndedAlert[];
}
