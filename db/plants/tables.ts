import type { ColumnType, Generated } from 'kysely';

import type {
  AlertSeverity,
  AlertState,
  AlertType,
  DayQuality,
  DeviceFacts,
  LowGenerationStreak,
} from '../../domain/plants/facts.ts';
import type { Booked, BookedPoll } from '../../domain/plants/changes.ts';
import type {
  Brand,
  FailureScope,
  IntegrationStatus,
  LastSeenSource,
  Outcome,
  Status,
  StatusReason,
  Trigger,
  AdapterErrorType,
} from '../../domain/plants/plant.ts';
import type { StatusProfile } from '../../domain/daylight.ts';
import type { LocalDate } from '../../domain/zone.ts';
import type { Reading } from '../../domain/plants/reading.ts';
import type { Instant, NullableJson } from '../columns.ts';

/** The rows of the plants' tables. */

/** What a slot wrote into a day: a repeated step of the same slot answers it again. */
export interface SnapshotClaim {
  nowMs: number;
  reading: Reading;
  booked: Booked;
}

/** The plants' tables, by name. */
export interface PlantTables {
  vendor_accounts: {
    id: string;
    brand: Brand;
    name: string;
    created_at: Instant;
    refusal: 'UNUSABLE' | 'REFUSED' | null;
    refusal_message: string | null;
    refused_at: Date | null;
  };
  integration_credentials: {
    account_id: string;
    version: Generated<number>;
    key_version: string;
    iv: Buffer;
    sealed: Buffer;
    updated_at: Instant;
  };
  plants: {
    id: string;
    name: string;
    customer_id: string | null;
    brand: Brand;
    vendor_account_id: string;
    vendor_plant_id: string;
    timezone: string;
    latitude: number | null;
    longitude: number | null;
    installed_capacity_kw: number | null;
    poll_interval_s: Generated<number>;
    integration_status: Generated<IntegrationStatus>;
    paused_until: Date | null;
    pause_reason: string | null;
    alerts_silenced_until: Date | null;
    status_profile: Generated<StatusProfile>;
    activated_at: Date | null;
    created_at: Instant;
    revision: Generated<number>;
    seen_revision: Generated<number>;
    status: Generated<Status>;
    status_reason: Generated<StatusReason>;
    status_since: Instant;
    last_seen_at: Date | null;
    last_seen_source: LastSeenSource | null;
    consecutive_failures: Generated<number>;
    last_polled_at: Date | null;
    alarms_complete_at: Date | null;
    low_generation_streak: NullableJson<LowGenerationStreak>;
    last_slot: Date | null;
    last_poll: NullableJson<BookedPoll>;
    devices: NullableJson<DeviceFacts[]>;
    failing_since: Date | null;
    removed_at: Date | null;
  };
  plant_periods: {
    plant_id: string;
    from_at: Date;
    to_at: Date | null;
    interval_s: number;
    phase_ms: number;
    reason: IntegrationStatus;
  };
  metric_snapshots: {
    plant_id: string;
    date: LocalDate;
    today_energy_kwh: number;
    peak_power_w: number | null;
    lifetime_energy_kwh: number | null;
    raw_source: Generated<'MOCK'>;
    quality: DayQuality;
    complete: boolean;
    last_seen_at: Date | null;
    live_energy_kwh: number | null;
    totals_by_time: NullableJson<(number | null)[]>;
    proposed_energy_kwh: number | null;
    slot: Date | null;
    claim: NullableJson<SnapshotClaim>;
    updated_at: Instant;
  };
  snapshot_revisions: {
    id: Generated<number>;
    plant_id: string;
    date: LocalDate;
    old_energy_kwh: number | null;
    new_energy_kwh: number;
    source: 'BACKFILL' | 'CLOSING' | 'OPERATOR';
    at: Date;
  };
  day_gaps: {
    plant_id: string;
    date: LocalDate;
    tries: number;
    tried_at: Date;
    note: string;
  };
  alerts: {
    id: Generated<number>;
    /** Exactly one of the two is the subject. */
    plant_id: string | null;
    gateway_id: string | null;
    type: AlertType;
    vendor_alarm_code: string | null;
    device_sn: string | null;
    severity: AlertSeverity;
    state: AlertState;
    message: string;
    vendor_level: string | null;
    vendor_text: string | null;
    started_at: Date;
    last_seen_at: Date;
    acked_at: Date | null;
    acked_by: string | null;
    acked_until: Date | null;
    resolved_at: Date | null;
    last_notified_at: Date | null;
    muted: Generated<boolean>;
    ack_comment: string | null;
    /** kWh, an estimate. */
    estimated_lost_kwh: number | null;
    at_risk_kwh: number | null;
    estimated_at: Date | null;
  };
  alert_events: {
    id: Generated<number>;
    alert_id: number;
    at: Date;
    from_state: 'NEW' | 'ACKED' | null;
    to_state: AlertState;
    severity: AlertSeverity;
    actor: string;
    reason: string;
  };
  poll_logs: {
    plant_id: string;
    job_type: 'POLL' | 'DAILY';
    scheduled_for: Date;
    trigger: Trigger;
    status: 'SUCCESS' | 'ERROR' | null;
    outcome: Outcome;
    started_at: Date | null;
    requested_at: Date | null;
    request_id: string | null;
    duration_ms: number | null;
    late_ms: number | null;
    attempts: Generated<number>;
    slots_missed: number | null;
    adapter_error_type: AdapterErrorType | null;
    adapter_error_scope: FailureScope | null;
    error: string | null;
    power_w: number | null;
    today_energy_kwh: number | null;
    lifetime_energy_kwh: number | null;
    booked_date: LocalDate | null;
    source_time: Date | null;
    workflow_id: string;
    run_id: string;
  };
  brand_incidents: {
    id: Generated<number>;
    brand: Brand | null;
    suspected_at: Date;
    sightings: number;
    opened_at: Date | null;
    recovering_since: Date | null;
    closed_at: Date | null;
    plants_failed: number;
    plants_active: number;
    errors: ColumnType<Partial<Record<AdapterErrorType, number>>, string, string>;
    held_at: Date | null;
    probed_at: Date | null;
    probe_plant_id: string | null;
    released_at: Date | null;
    failing_since: Date | null;
    plants_failed_most: number | null;
  };
  ledger_kept: {
    only_row: Generated<true>;
    from_at: Date;
  };
  demo_outages: {
    brand: Brand;
    until_at: Date;
  };
  demo_unfinished: {
    plant_id: string;
  };
}
