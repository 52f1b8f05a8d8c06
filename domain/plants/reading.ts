import type { AdapterErrorType, FailureScope } from './plant.ts';
import type { LocalDate } from '../zone.ts';

/**
 * What adapters return, for every vendor: power in W, energy in kWh, instants as ISO 8601 in UTC, dates of the plant's
 * zone. `null` means "the vendor did not say", never 0.
 */

export type DeviceState = 'RUNNING' | 'STANDBY' | 'FAULT' | 'OFFLINE' | 'UNKNOWN';

export interface DeviceReading {
  sn: string;
  powerW: number | null;
  todayEnergyKwh: number | null;
  state: DeviceState;
  measuredAt: string | null;
}

/** A field of an otherwise good answer that is missing although it is needed, was refused, or cannot be true; makes the poll PARTIAL. */
export interface RefusedField {
  field: 'power_w' | 'today_energy_kwh' | 'last_seen_at' | 'lifetime_energy_kwh' | 'devices';
  /** One sentence for people: what was wrong and what to check. */
  sentence: string;
  /** Why the vendor did not answer this part. Absent: what it answered cannot be used, INVALID_DATA_FORMAT. */
  type?: AdapterErrorType;
}

export interface PlantSummary {
  /** null where the vendor does not say it, but what the plant is; `refused` has the sentence. */
  todayEnergyKwh: number | null;
  powerW: number | null;
  lifetimeEnergyKwh: number | null;
  /** The step in which the vendor counts the lifetime total (8.824 MWh counts in steps of 1 kWh); null without a total. */
  lifetimeResolutionKwh: number | null;
  /** The newest measurement time that the vendor states; null if it states none. */
  lastSeenAt: string | null;
  devices: DeviceReading[];
  refused: RefusedField[];
}

export interface DailyEnergy {
  date: LocalDate;
  /** null: the vendor has a row for the day but no value in it. */
  energyKwh: number | null;
}

export type VendorSeverity = 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW';

export interface VendorAlarm {
  /** The vendor's type code, as text; part of the dedupe key. */
  code: string;
  deviceSn: string | null;
  severity: VendorSeverity;
  /** The vendor's own level, unchanged ("3", "lev 1"). */
  vendorLevel: string;
  /** The vendor's words, without control characters, at most 300 characters. */
  text: string;
  startedAt: string;
  /** null while it is open, or if the vendor does not say when it ended. */
  endedAt: string | null;
  open: boolean;
  /** A pure communication alarm (a list per brand): YELLOW at most. */
  communication: boolean;
}

export interface AlarmsAnswer {
  alarms: VendorAlarm[];
  /** False when pages were cut off: then absence proves nothing. */
  complete: boolean;
}

/** Credentials that the vendor was never shown: MISSING, or UNUSABLE such as those with a host that is not the vendor's. */
export type CredentialsFault = 'MISSING' | 'UNUSABLE';

/** A vendor's failure as a value. `message` is one redacted sentence. `failure.ts` says what follows from it. */
export interface VendorFailure {
  type: AdapterErrorType;
  /** Absent in results of workers that did not know it yet. */
  scope?: FailureScope;
  /** False where the scope is our conclusion and not the vendor's word. Absent: true. */
  certain?: boolean;
  message: string;
  /** With AUTH_FAILED, where it is not the vendor that refuses: the account has none, or we cannot use them. */
  credentials?: CredentialsFault;
  /** With RATE_LIMIT_EXCEEDED: how long the vendor asks to be left alone. */
  retryAfterMs?: number;
}

/**
 * One answered poll: the summary, and the alarms if they were requested (else `null`). Travels
 * through the workflow's history and stays under 4 KB.
 */
export interface Reading {
  summary: PlantSummary;
  alarms:
    | (AlarmsAnswer & { /** From when on the answer speaks, ISO. */ since: string })
    | VendorFailure
    | null;
}
