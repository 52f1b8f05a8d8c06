import type { Booked, BookedPoll, PollOutcome } from '../../domain/plants/changes.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import type {
  Brand,
  IntegrationStatus,
  Outcome,
  Status,
  StatusReason,
  Trigger,
} from '../../domain/plants/plant.ts';
import type { MissedSlots } from '../../domain/slots.ts';
import type { LocalDate } from '../../domain/zone.ts';
import type { Reading, VendorFailure } from '../../domain/plants/reading.ts';

/**
 * The activities that the workflows of plants call: types only, so that nothing of Node, PostgreSQL or the adapters reaches
 * the workflow bundle. Every activity is idempotent by its key. Instants are integer ms since the epoch.
 */

/**
 * The course of polls. WHOLE: an ordinary poll is one local step; any other poll continues in single steps. STEPS: each step
 * of a poll is an activity of its own, which the Web UI shows with its result.
 */
export type PollCourse = 'WHOLE' | 'STEPS';

/** Which poll of which plant. `slotMs` is only its identity in ledger and fences. */
export interface PollKey {
  plantId: string;
  slotMs: number;
}

export interface FetchArgs extends PollKey {
  /** The workflow's time. */
  nowMs: number;
  intervalMs: number;
}

/** `nowMs` is the poll's clock from here on; `durationMs` is the duration of this attempt. */
export type FetchResult =
  | {
      kind: 'READING';
      nowMs: number;
      durationMs: number;
      reading: Reading;
      credentialsVersion: number;
    }
  | {
      kind: 'VENDOR_FAILURE';
      nowMs: number;
      durationMs: number;
      failure: VendorFailure;
      /** Which version of the credentials was tried; null where none are stored. */
      credentialsVersion: number | null;
      /** Whose credentials they were; absent in answers of older runs. */
      accountId?: string;
      /** False where the account's path was closed by a rate limit: no request was made. */
      asked: boolean;
    }
  | { kind: 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE'; nowMs: number }
  /** This slot's alert step was committed before: only its ledger row may be missing. */
  | { kind: 'ALREADY_BOOKED'; poll: BookedPoll };

/** A poll that may be made in one step. */
export interface WholePollArgs extends FetchArgs {
  trigger: Trigger;
  requestedAtMs: number | null;
  requestId?: string;
  /** Older slots without a poll: their rows are written together with the poll's. null: none. */
  missed: MissedSlots | null;
  /** The loop waits first: the activity does nothing, and the history says so. */
  postpone?: boolean;
}

export type WholePollResult =
  /** The poll has ended: everything is written, its ledger row included. */
  | { kind: 'ENDED'; poll: BookedPoll; standing: PlantStanding }
  /** Not an ordinary poll: the vendor was asked if necessary, and nothing is written; the single steps continue. */
  | { kind: 'FETCHED'; fetched: FetchResult }
  /** Nothing was done: a worker booked one of the missed slots before it died. */
  | { kind: 'STEPS' }
  /** Nothing was done, as `postpone` asked. */
  | { kind: 'LATER' };

export interface SnapshotArgs extends PollKey {
  nowMs: number;
  reading: Reading;
}

export interface SnapshotResult {
  booked: Booked;
  /** Days whose series must be read now. */
  gaps: LocalDate[];
}

export interface BackfillArgs {
  plantId: string;
  dates: LocalDate[];
  nowMs: number;
  /** A poll that found gaps asks, or a person, who may reach further back than D-3. */
  source: 'BACKFILL' | 'OPERATOR';
}

export interface BackfillResult {
  days: {
    date: LocalDate;
    oldEnergyKwh: number | null;
    newEnergyKwh: number | null;
    changed: boolean;
    note: string;
  }[];
  failure: VendorFailure | null;
}

export interface ReconcileArgs extends PollKey, Omit<BookedPoll, keyof PollOutcome> {
  nowMs: number;
  result: { kind: 'READING'; reading: Reading } | { kind: 'FAILURE'; failure: VendorFailure };
  credentialsVersion: number | null;
  /** The account that was tried; absent: the plant's own. */
  accountId?: string;
}

/** Alerts and status without a reading: after a change by people, or a day's closing. */
export interface EvaluateArgs {
  plantId: string;
  nowMs: number;
  /** The revision that the loop has seen; another one in the database: nothing is written. */
  revision: number;
  closing: ClosingVerdict | null;
}

/** The plant as the alert step left it. */
export interface PlantStanding {
  status: Status;
  statusReason: StatusReason;
  statusSinceMs: number;
  lastSeenAtMs: number | null;
  openAlerts: number;
  /** A revision that the loop has not seen: it looks again. */
  revision: number;
  /** The worker's setting, for the loop's next run. Absent: WHOLE, so that an ordinary poll's result stays short. */
  course?: 'STEPS';
}

export interface ReconcileResult extends PlantStanding {
  poll: BookedPoll;
}

export interface PollLogArgs
  extends PollKey, Omit<BookedPoll, 'outcome' | 'startedAtMs' | 'durationMs'> {
  jobType: 'POLL' | 'DAILY';
  trigger: Trigger;
  outcome: Outcome;
  startedAtMs: number | null;
  requestedAtMs: number | null;
  /** The newest request that the poll serves; absent for a slot, and if the request brought none. */
  requestId?: string;
  durationMs: number | null;
}

/** Slots that no worker polled: the newest get a row each, all older ones (`overflow`) share one. */
export type { MissedSlots };

export interface MissedArgs extends MissedSlots {
  plantId: string;
  intervalMs: number;
}

export interface PlanArgs {
  plantId: string;
  nowMs: number;
}

/** What PostgreSQL says now that the loop is to do. */
export type Plan =
  | { kind: 'GONE' }
  | {
      kind: 'PLAN';
      name: string;
      brand: Brand;
      integrationStatus: IntegrationStatus;
      revision: number;
      intervalMs: number;
      phaseMs: number;
      /** The newest slot of the ledger; null before the first poll. */
      lastSlotMs: number | null;
      /** The first slot that is due; without meaning while the plant is not ACTIVE. */
      periodFromMs: number;
      /** The plant became ACTIVE and was not polled since: poll at once. */
      startDue: boolean;
      nextClosing: Closing | null;
      /** Closings of the last 3 dates that no worker made, oldest first. */
      missedClosings: Closing[];
    };

export interface Closing {
  date: LocalDate;
  atMs: number;
}

/** The plant-local day that is closed. */
export interface ClosingArgs {
  plantId: string;
  date: LocalDate;
  nowMs: number;
}

export interface SetIntegrationArgs {
  plantId: string;
  to: 'ACTIVE' | 'DISABLED_BY_OPERATOR';
  nowMs: number;
}

/** Activities of a brand's queue. Names are part of running workflows: they never change. */
export interface PlantActivities {
  /**
   * A whole ordinary poll: waits for the slot, asks the vendor, writes snapshot, plant and ledger row in one transaction.
   * The single steps do what it does not finish. The loop calls it only as a local activity.
   */
  pollWhole(args: WholePollArgs): Promise<WholePollResult>;
  /** Lock, plant, credentials, the vendor's summary and alarms. Vendor errors are values. */
  fetchReadings(args: FetchArgs): Promise<FetchResult>;
  upsertSnapshot(args: SnapshotArgs): Promise<SnapshotResult>;
  backfillDays(args: BackfillArgs): Promise<BackfillResult>;
  reconcileAlerts(args: ReconcileArgs): Promise<ReconcileResult>;
  evaluatePlant(args: EvaluateArgs): Promise<PlantStanding>;
  /** Writes the ledger row once, and starts to give the lock back. */
  writePollLog(args: PollLogArgs): Promise<void>;
  writeMissed(args: MissedArgs): Promise<void>;
  /** Reads the plant, and opens or closes its period if it must change. */
  planPlant(args: PlanArgs): Promise<Plan>;
  /** Carries a person's `pause` or `resume` from the Web UI to PostgreSQL. */
  setIntegration(args: SetIntegrationArgs): Promise<void>;
  /** The closing's first half: D-1 … D-3 from the vendor's series. */
  refreshDays(args: ClosingArgs): Promise<BackfillResult>;
  /** The closing's second half: the day's totals by local time, and the verdict on low generation. */
  closeDay(args: ClosingArgs): Promise<ClosingVerdict>;
}
