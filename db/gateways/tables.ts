import type { Generated } from 'kysely';

import type { BadPoint } from '../../domain/gateways/facts.ts';
import type { GatewayStatus, Priority, Quirks } from '../../domain/gateways/gateway.ts';
import type { GatewayOutcome, GatewayTrigger } from '../../domain/gateways/reading.ts';
import type { SunSpecLayout } from '../../domain/gateways/sunspec.ts';
import type { Instant, NullableJson } from '../columns.ts';

/** The rows of the gateways' tables. */

/** The newest reading of a gateway, for lists and live values. */
export interface LastReading {
  mapId: number;
  values: (number | null)[];
  /** By point, as `qualityCode` gives them; null when all are GOOD. */
  quality: number[] | null;
}

/** A roll-up: arrays over the points of the map. */
interface GatewayRollup {
  gateway_id: string;
  bucket_at: Date;
  map_id: number;
  readings: number;
  min: (number | null)[];
  mean: (number | null)[];
  max: (number | null)[];
  last: (number | null)[];
  delta: (number | null)[];
  counter: (number | null)[];
  good: number[];
}

/** The gateways' tables, by name. */
export interface GatewayTables {
  gateways: {
    id: string;
    name: string;
    host: string;
    port: Generated<number>;
    plant_id: string | null;
    customer_id: string | null;
    poll_interval_s: number;
    priority: Generated<Priority>;
    is_active: Generated<boolean>;
    pause_reason: string | null;
    quirks: NullableJson<Partial<Quirks>>;
    map_id: number;
    address_hash: number;
    alerts_silenced_until: Date | null;
    created_at: Instant;
    removed_at: Date | null;
    revision: Generated<number>;
  };
  gateway_maps: { id: Generated<number>; digest: Buffer; points: NullableJson<unknown> };
  gateway_units: {
    gateway_id: string;
    position: number;
    unit_id: number;
    preset: string | null;
    capacity_kw: number | null;
    quirks: NullableJson<Partial<Quirks>>;
    points: NullableJson<unknown[]>;
  };
  gateway_periods: {
    gateway_id: string;
    from_at: Date;
    to_at: Date | null;
    interval_s: number;
    phase_ms: number;
    reason: 'ACTIVE' | 'PAUSED' | 'DISABLED' | 'HALTED' | 'REMOVED';
  };
  gateway_state: {
    gateway_id: string;
    status: Generated<GatewayStatus>;
    status_reason: string | null;
    status_message: string | null;
    status_since: Instant;
    last_slot: Date | null;
    last_polled_at: Date | null;
    last_seen_at: Date | null;
    consecutive_failures: Generated<number>;
    failing_since: Date | null;
    recent: Generated<string>;
    bad_points: NullableJson<Readonly<Record<string, BadPoint>>>;
    silent_units: NullableJson<Record<string, number>>;
    counters: NullableJson<unknown>;
    last_reading: NullableJson<LastReading>;
    disabled_at: Date | null;
    next_probe_at: Date | null;
    probes: Generated<number>;
    good_probes: Generated<number>;
  };
  gateway_readings: {
    gateway_id: string;
    read_at: Date;
    trigger: GatewayTrigger;
    outcome: GatewayOutcome;
    reason: string | null;
    slots_missed: Generated<number>;
    measured_at: Date | null;
    late_ms: number | null;
    duration_ms: number | null;
    requests: number | null;
    map_id: number | null;
    values: (number | null)[] | null;
    quality: number[] | null;
  };
  gateway_readings_kept: { only_row: Generated<boolean>; from_at: Date };
  gateway_facts: {
    gateway_id: string;
    unit_id: number;
    key: string;
    value: string;
    changed_at: Date;
  };
  gateway_learned: {
    host: string;
    port: number;
    unit_id: number;
    function: number;
    address: number;
    registers: number;
    code: number;
    times: number;
    refused_at: Date;
  };
  gateway_layouts: {
    host: string;
    port: number;
    unit_id: number;
    layout: NullableJson<SunSpecLayout>;
    found_at: Date;
  };
  gateway_shards: {
    shard: number;
    epoch: Generated<number>;
    owner: string | null;
    worker: string | null;
    expires_at: Instant;
    wanted_by: string | null;
    figures: NullableJson<unknown>;
    figures_at: Date | null;
  };
  gateway_workers: {
    owner: string;
    host: string;
    pid: number;
    started_at: Date;
    seen_at: Date;
  };
  gateway_requests: {
    id: Generated<number>;
    gateway_id: string;
    kind: 'POLL' | 'READ';
    arguments: NullableJson<unknown>;
    requested_by: string;
    requested_at: Instant;
    answered_at: Date | null;
    answer: NullableJson<unknown>;
  };
  polling_halts: {
    id: Generated<number>;
    from_at: Instant;
    to_at: Date | null;
    by: string;
    reason: string | null;
    lifted_by: string | null;
  };
  gateway_rollups_15min: GatewayRollup;
  gateway_rollups_day: GatewayRollup;
  gateway_rollups_done: {
    shards: number;
    shard: number;
    unit: '15min' | 'day';
    until_at: Date;
  };
  gateway_rollups_due: { gateway_id: string; unit: '15min' | 'day'; bucket_at: Date };
}
