import { z } from '@hono/zod-openapi';

import type { AlertView } from '../../db/plants/alerts.ts';
import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import { plantIdPattern } from '../../domain/plants/plant-draft.ts';
import {
  adapterErrorTypes,
  failureScopes,
  brands,
  integrationStatuses,
  statuses,
} from '../../domain/plants/plant.ts';
import { statusProfiles } from '../../domain/daylight.ts';
import { plantSentence } from '../../operations/plants/plant-view.ts';
import { jsonOf } from '../json.ts';
import { instantSchema } from '../route.ts';
import type { FleetRow } from './fleet-row.ts';

/** Schemas that several routes answer, and the functions that make their values. A member that a schema does not name is dropped. */

export const brandSchema = z.enum(brands);
export const statusSchema = z.enum(statuses);
export const severitySchema = z.enum(['YELLOW', 'RED']);
export const alertTypeSchema = z.enum([
  'OFFLINE',
  'LOW_GENERATION',
  'MOCK_FAULT',
  'API_ERROR',
  'DEVICE_DOWN',
]);
export const alertStateSchema = z.enum(['NEW', 'ACKED', 'RESOLVED']);
const nullableInstant = instantSchema.nullable();
const nullableNumber = z.number().nullable();
const dateSchema = z.string().openapi({ format: 'date' });

export const plantIdParam = z.object({
  id: z
    .string()
    .regex(plantIdPattern, 'cannot be the id of a plant')
    .openapi({ param: { name: 'id', in: 'path' }, example: 'solis-canal' }),
});

/** Whether people hold a plant back, its polls or the announcements of its alerts: who, until when, and why. */
const heldSchema = {
  integration_status: z.enum(integrationStatuses),
  paused_until: nullableInstant,
  pause_reason: z.string().nullable(),
  paused_by: z.string().nullable(),
  alerts_silenced_until: nullableInstant,
  alerts_silenced_by: z.string().nullable(),
  alerts_silence_reason: z.string().nullable(),
};

export const fleetRowSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    customer_id: z.string().nullable(),
    brand: brandSchema,
    vendor_account_id: z.string(),
    vendor_plant_id: z.string(),
    timezone: z.string().openapi({ example: 'Europe/Amsterdam' }),
    latitude: nullableNumber,
    longitude: nullableNumber,
    installed_capacity_kw: nullableNumber,
    poll_interval_s: z.int(),
    status_profile: z.enum(statusProfiles),
    ...heldSchema,
    removed_at: nullableInstant.openapi({
      description: 'lists leave removed plants out; what is known of one is kept for a while',
    }),
    activated_at: nullableInstant,
    status: statusSchema,
    status_reason: z.string().openapi({ example: 'SEEN_RECENTLY' }),
    status_since: instantSchema,
    status_sentence: z.string(),
    last_seen_at: nullableInstant,
    last_seen_source: z.enum(['VENDOR', 'EVIDENCE']).nullable(),
    last_polled_at: nullableInstant,
    stale: z.boolean().openapi({ description: 'ACTIVE, but not polled for 2 intervals + 1 min' }),
    not_polled_since: nullableInstant,
    is_night: z.boolean().nullable().openapi({ description: 'null if the place is unknown' }),
    failing_since: nullableInstant.openapi({
      description: 'the first of its failed polls in a row; null while the newest succeeded',
    }),
    incident_id: z.int().nullable().openapi({ description: 'the open incident that it fails in' }),
    incident_since: nullableInstant.openapi({
      description: 'time since which its brand does not answer',
    }),
    incident_brand: brandSchema.nullable(),
    consecutive_failures: z.int(),
    revision: z.int().openapi({ description: 'also the ETag; send it as If-Match' }),
    open_alerts: z.int(),
    unacknowledged_alerts: z.int(),
    estimated_lost_kwh: nullableNumber.openapi({
      description: 'an estimate: the largest value of the active alerts',
    }),
    at_risk_kwh: nullableNumber,
    today_energy_kwh: nullableNumber,
    power_w: nullableNumber.openapi({ description: 'from the newest poll, even an old one' }),
    data_age_s: nullableNumber,
    power_now_w: nullableNumber.openapi({ description: 'power_w while it is fresh' }),
    power_note: z.string().nullable().openapi({ description: 'why power_now_w is null' }),
    yesterday_date: dateSchema,
    yesterday_energy_kwh: nullableNumber,
    yesterday_kwh_per_kwp: nullableNumber,
    yesterday_quality: z.enum(['LIVE', 'BACKFILLED', 'FINAL']).nullable(),
    yesterday_complete: z.boolean().nullable(),
    yesterday_median_ratio: nullableNumber.openapi({
      description: 'divided by the median of the 7 days before; 1 is usual',
    }),
    yesterday_note: z.string(),
    today_date: dateSchema,
    today_median_ratio: nullableNumber.openapi({
      description:
        'divided by the usual energy at this time of day; null while it is too early to compare',
    }),
    today_note: z.string(),
  })
  .openapi('FleetPlant');

export const fleetRowJson = (row: FleetRow, nowMs: number) =>
  jsonOf(fleetRowSchema, { ...row, status_sentence: plantSentence(row, nowMs) });

export const pollSchema = z
  .object({
    plant_id: z.string(),
    job_type: z.enum(['POLL', 'DAILY']),
    scheduled_for: instantSchema,
    trigger: z.enum(['SCHEDULE', 'START', 'MANUAL', 'CATCH_UP']),
    status: z.enum(['SUCCESS', 'ERROR']).nullable(),
    outcome: z.enum(['OK', 'PARTIAL', 'FAILED', 'SKIPPED_LOCKED', 'SKIPPED_INACTIVE', 'MISSED']),
    started_at: nullableInstant,
    requested_at: nullableInstant,
    request_id: z.string().nullable(),
    duration_ms: nullableNumber,
    late_ms: nullableNumber,
    attempts: z.int(),
    slots_missed: z.int().nullable(),
    adapter_error_type: z.enum(adapterErrorTypes).nullable(),
    adapter_error_scope: z.enum(failureScopes).nullable().openapi({
      description:
        "what a failed poll is about: our request, the plant, the account or the vendor's cloud",
    }),
    error: z.string().nullable(),
    power_w: nullableNumber,
    today_energy_kwh: nullableNumber,
    lifetime_energy_kwh: nullableNumber,
    booked_date: dateSchema.nullable(),
    source_time: nullableInstant,
    workflow_id: z.string(),
    run_id: z.string(),
  })
  .openapi('Poll');

export const pollJson = (row: PollLogRow) => jsonOf(pollSchema, row);

export const alertSchema = z
  .object({
    id: z.int(),
    plant_id: z.string(),
    plant_name: z.string(),
    brand: brandSchema,
    timezone: z.string(),
    ...heldSchema,
    type: alertTypeSchema,
    vendor_alarm_code: z.string().nullable(),
    device_sn: z.string().nullable(),
    severity: severitySchema,
    state: alertStateSchema,
    message: z.string(),
    vendor_level: z.string().nullable(),
    vendor_text: z.string().nullable(),
    started_at: instantSchema,
    last_seen_at: instantSchema,
    acked_at: nullableInstant,
    acked_by: z.string().nullable(),
    acked_until: nullableInstant,
    ack_comment: z.string().nullable(),
    resolved_at: nullableInstant,
    last_notified_at: nullableInstant,
    estimated_lost_kwh: nullableNumber.openapi({ description: 'an estimate' }),
    at_risk_kwh: nullableNumber,
    estimated_at: nullableInstant,
    incident_id: z
      .int()
      .nullable()
      .openapi({ description: 'the incident, open or closed, that explains it' }),
  })
  .openapi('Alert');

export const alertJson = (alert: AlertView) => jsonOf(alertSchema, alert);

export const incidentSchema = z
  .object({
    id: z.int(),
    brand: brandSchema.nullable().openapi({ description: 'null: no vendor answers, our side' }),
    state: z.enum(['open', 'closed']),
    sentence: z.string(),
    since: instantSchema.openapi({ description: 'the first failed poll' }),
    opened_at: instantSchema,
    recovering_since: nullableInstant,
    closed_at: nullableInstant,
    plants_failed: z.int().nullable().openapi({
      description:
        'of a closed incident the most that failed at once, which a CUSTOMER is not told',
    }),
    plants_active: z.int(),
    alerts: z.int().openapi({
      description: 'active alerts that it explains, which are not announced; of a closed one all',
    }),
    errors: z
      .partialRecord(z.enum(adapterErrorTypes), z.int())
      .nullable()
      .openapi({ description: 'failed plants of the brand by error; not told to a CUSTOMER' }),
  })
  .openapi('Incident');

/** The id of an incident in a query. */
export const incidentQuery = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional();

export const daySchema = z
  .object({
    date: dateSchema,
    today_energy_kwh: z.number(),
    peak_power_w: nullableNumber,
    lifetime_energy_kwh: nullableNumber,
    quality: z.enum(['LIVE', 'BACKFILLED', 'FINAL']),
    complete: z.boolean(),
    last_seen_at: nullableInstant,
  })
  .openapi('Snapshot');

export const plantDetailSchema = z
  .object({
    ...fleetRowSchema.shape,
    account: z.object({ id: z.string(), name: z.string(), has_credentials: z.boolean() }),
    next_slot: nullableInstant,
    next_closing: nullableInstant,
    devices: z.array(
      z.object({
        sn: z.string(),
        state: z.string(),
        power_w: nullableNumber,
        today_energy_kwh: nullableNumber,
        measured_at: nullableInstant,
        down_streak: z.int(),
      }),
    ),
    alerts: z.array(alertSchema),
    last_polls: z.array(pollSchema),
    days: z.array(daySchema).openapi({ description: 'today and the 6 days before, newest first' }),
    warnings: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .openapi({ description: 'settings that are possible and look wrong; each may be true' }),
    workflow_id: z.string(),
    workflow_url: z.string().nullable(),
  })
  .openapi('Plant');
