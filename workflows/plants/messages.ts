import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { Closing, PlantStanding, PollCourse } from '../../activities/plants/contract.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import type {
  AdapterErrorType,
  Brand,
  IntegrationStatus,
  Outcome,
  Status,
  StatusReason,
  Trigger,
} from '../../domain/plants/plant.ts';
import type { Grid } from '../../domain/slots.ts';

/** Ids, queues and messages of the workflows: everything that others need to speak with them. Names never change. */

const pollQueues = {
  SOLIS: 'queue:poll:solis',
  HUAWEI: 'queue:poll:huawei',
  GOODWE: 'queue:poll:goodwe',
  DELE: 'queue:poll:dele',
} as const satisfies Record<Brand, string>;

/** The queues of all brands. */
export const allPollQueues: readonly string[] = Object.values(pollQueues);

/** The queue that carries everything of a brand's plants. */
export function pollQueue(brand: Brand): string {
  return pollQueues[brand];
}

export function pollWorkflowId(plantId: string): string {
  return `poll:plant:${plantId}:latest`;
}

/** The plant of a loop's workflow id; null for another workflow's. */
export function plantOfWorkflowId(workflowId: string): string | null {
  return /^poll:plant:(.+):latest$/.exec(workflowId)?.[1] ?? null;
}

export function dailyWorkflowId(plantId: string, date: string): string {
  return `daily:plant:${plantId}:${date}`;
}

export interface MonitorInput {
  /** 1: the single steps of a poll are local first, as they were before they became a setting. 2: they are regular. */
  v: 1 | 2;
  plantId: string;
  brand: Brand;
  /** The run continues as new after this many polls; simulations under time skipping raise it. */
  pollsPerRun?: number;
  /**
   * How the polls of this run go; the run keeps it. Absent at a loop's first start: the run takes the worker's setting, which
   * comes with its first evaluation. Absent in version 1: STEPS.
   */
  course?: PollCourse;
  /** A WHOLE poll wakes at most this long before its slot, ms; simulations under time skipping, where it costs real time, lower it. */
  wokenEarlyMs?: number;
  /** What the run before knew; absent at the start, and then everything is read from PostgreSQL. */
  state?: LoopState;
}

/** What goes from run to run. Small, plain, versioned by the input's `v`. */
export interface LoopState {
  name: string;
  integrationStatus: IntegrationStatus;
  revision: number;
  grid: Grid;
  periodFromMs: number;
  /** The newest slot that has its row; null before the first. */
  lastSlotMs: number | null;
  nextClosing: Closing | null;
  /** The newest date whose closing was started. */
  closedDate: string | null;
  standing: PlantStanding | null;
  lastPoll: PollAnswer | null;
}

/** What one poll came to. Field names are those of `poll_logs`. */
export interface PollAnswer {
  plant_id: string;
  scheduled_for: string;
  trigger: Trigger;
  outcome: Outcome;
  attempts: number;
  duration_ms: number | null;
  adapter_error_type: AdapterErrorType | null;
  error: string | null;
  power_w: number | null;
  today_energy_kwh: number | null;
  lifetime_energy_kwh: number | null;
  booked_date: string | null;
  source_time: string | null;
  status: Status | null;
  status_reason: StatusReason | null;
}

/** What the loop knows of its plant. */
export interface PlantState {
  plant_id: string;
  brand: Brand;
  integration_status: IntegrationStatus | null;
  interval_s: number | null;
  status: Status | null;
  status_reason: StatusReason | null;
  status_since: string | null;
  last_seen_at: string | null;
  open_alerts: number;
  next_slot: string | null;
  next_closing: string | null;
  /** The slot of a poll that is running now. */
  polling: string | null;
  last_poll: PollAnswer | null;
  revision: number;
}

/** What may come with a request to poll. */
export interface PollRequestNote {
  /** Under which the request is found in logs; at most 64 characters. */
  request_id?: string;
}

/** Poll at once, without an answer. */
export const pollNowSignal = defineSignal('pollNow');
/** Poll at once and answer with that poll's outcome; refused at once while the plant is not ACTIVE. */
export const pollNowUpdate = defineUpdate<PollAnswer>('pollNow');
/** The same update, with a note. */
export const notedPollNowUpdate = defineUpdate<PollAnswer, [PollRequestNote | undefined]>(
  'pollNow',
);
/** DISABLED_BY_OPERATOR, by the Web UI. */
export const pauseSignal = defineSignal('pause');
/** ACTIVE, by the Web UI; also after refused credentials. Changes nothing for PENDING_DOCS. */
export const resumeSignal = defineSignal('resume');
/** The plant's row changed: look again. */
export const plantChangedSignal = defineSignal('plantChanged');
/** A day was closed: evaluate with what it says of low generation. */
export const dayClosedSignal = defineSignal<[ClosingVerdict]>('dayClosed');
export const plantStateQuery = defineQuery<PlantState>('plantState');
