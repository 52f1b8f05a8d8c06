import { z } from '@hono/zod-openapi';

import type { GatewayView } from '../../db/gateways/gateways.ts';
import type { ReadingView } from '../../db/gateways/readings.ts';
import type { GatewayAlertRow } from '../../db/gateways/views.ts';
import { gatewayStatuses, priorities } from '../../domain/gateways/gateway.ts';
import { gatewayOutcomes, gatewayTriggers } from '../../domain/gateways/reading.ts';
import {
  gatewaySentence,
  mainReadings,
  type PointReading,
  pointReadings,
  qualityText,
} from '../../operations/gateways/gateway-view.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { instantSchema } from '../route.ts';

/** Schemas of the routes of gateways, and the functions that make their values. */

const nullableInstant = instantSchema.nullable();

export const gatewayIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'cannot be the id of a gateway');
export const gatewayIdParam = z.object({
  id: gatewayIdSchema.openapi({ param: { name: 'id', in: 'path' }, example: 'roof-inverter' }),
});
export const gatewayStatusSchema = z.enum(gatewayStatuses);
export const prioritySchema = z.enum(priorities);

export const pointValueSchema = z
  .object({
    unit_id: z.int(),
    key: z.string().openapi({ example: 'ac_power_w' }),
    name: z.string(),
    value: z.number().nullable().openapi({ description: 'null unless its quality is GOOD' }),
    unit: z.string().nullable(),
    quality: z.enum(['GOOD', 'BAD', 'MISSING']),
    why: z.string().nullable().openapi({ description: 'why it is not GOOD, in words' }),
  })
  .openapi('PointValue');

export function pointValueJson({ point, value, quality }: PointReading) {
  return {
    unit_id: point.unitId,
    key: point.key,
    name: point.name,
    value,
    unit: point.unit,
    quality: quality.quality,
    why: quality.quality === 'GOOD' ? null : qualityText(quality),
  };
}

const unitSchema = z.object({
  unit_id: z.int().min(0).max(255),
  preset: z.string().nullable(),
  capacity_kw: z.number().nullable(),
});

export const gatewaySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    host: z.string(),
    port: z.int(),
    plant_id: z.string().nullable(),
    plant_name: z.string().nullable(),
    customer_id: z.string().nullable(),
    timezone: z.string().openapi({ description: 'that of its plant; UTC without one' }),
    priority: prioritySchema,
    poll_interval_s: z.int(),
    is_active: z.boolean().openapi({ description: 'false: paused by people' }),
    pause_reason: z.string().nullable(),
    units: z.array(unitSchema),
    status: gatewayStatusSchema,
    status_reason: z.string().nullable().openapi({ example: 'CONNECTION_REFUSED' }),
    status_sentence: z.string(),
    status_since: instantSchema,
    stale: z.boolean().openapi({ description: 'due, but not polled for 2 intervals + 1 min' }),
    last_seen_at: nullableInstant.openapi({ description: 'of the newest poll with a value' }),
    last_polled_at: nullableInstant,
    halted: z.boolean().openapi({ description: 'the emergency stop holds it back' }),
    consecutive_failures: z.int(),
    failing_since: nullableInstant,
    next_probe_at: nullableInstant.openapi({ description: 'while DISABLED' }),
    alerts_silenced_until: nullableInstant,
    open_alerts: z.int(),
    answered_24h: z
      .number()
      .nullable()
      .openapi({ description: 'share of the polls of 24 h that were answered, 0 … 1' }),
    last_values: z
      .array(pointValueSchema)
      .openapi({ description: 'its power and its energy, from the newest poll' }),
    revision: z.int().openapi({ description: 'also the ETag; send it as If-Match' }),
    removed_at: nullableInstant,
  })
  .openapi('Gateway');

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

export function gatewayJson(
  row: GatewayView,
  { points, answered }: { points: readonly UnitPoint[]; answered: number | undefined },
) {
  return {
    ...row,
    status_sentence: gatewaySentence(row),
    status_since: row.status_since.toISOString(),
    last_seen_at: iso(row.last_seen_at),
    last_polled_at: iso(row.last_polled_at),
    failing_since: iso(row.failing_since),
    next_probe_at: iso(row.next_probe_at),
    alerts_silenced_until: iso(row.alerts_silenced_until),
    removed_at: iso(row.removed_at),
    answered_24h: answered ?? null,
    last_values: mainReadings(pointReadings(points, row.last_reading)).map(pointValueJson),
  };
}

export const gatewayReadingSchema = z
  .object({
    read_at: instantSchema.openapi({ description: 'its slot' }),
    trigger: z.enum(gatewayTriggers),
    outcome: z.enum(gatewayOutcomes),
    reason: z.string().nullable(),
    slots_missed: z.int().openapi({ description: 'of a MISSED row: how many slots it stands for' }),
    measured_at: nullableInstant,
    late_ms: z.int().nullable(),
    duration_ms: z.int().nullable(),
    requests: z.int().nullable(),
    points: z.array(pointValueSchema),
  })
  .openapi('GatewayReading');

/** A row of the ledger with its points. @param points those of the row's map; without them it has none. */
export function readingJson(row: ReadingView, points: readonly UnitPoint[] | undefined) {
  const { map_id: mapId, values, quality } = row;
  const reading =
    mapId === null || values === null || points === undefined ? null : { mapId, values, quality };
  return {
    read_at: row.read_at.toISOString(),
    trigger: row.trigger,
    outcome: row.outcome,
    reason: row.reason,
    slots_missed: row.slots_missed,
    measured_at: iso(row.measured_at),
    late_ms: row.late_ms,
    duration_ms: row.duration_ms,
    requests: row.requests,
    points: reading === null ? [] : pointReadings(points ?? [], reading).map(pointValueJson),
  };
}

/** An instant of a query, in a year that the database can hold. */
export const instantQuery = z.iso
  .datetime({ offset: true })
  .regex(/^(19[7-9]\d|2\d{3})-/, 'must lie between 1970 and 2999')
  .openapi({ format: 'date-time' });

export const pointSchema = z
  .object({
    unit_id: z.int(),
    key: z.string(),
    name: z.string(),
    function: z.int(),
    address: z.int().nullable().openapi({
      description: 'as sent, from 0; null: SunSpec discovery finds it',
    }),
    documented: z.object({ address: z.string(), notation: z.string() }).nullable(),
    type: z.string(),
    order: z.string(),
    registers: z.int(),
    scale: z.number(),
    offset: z.number(),
    unit: z.string().nullable(),
    kind: z.enum(['GAUGE', 'COUNTER', 'DAILY']),
    range: z.object({ min: z.number().nullable(), max: z.number().nullable() }),
  })
  .openapi('GatewayPoint');

export function pointJson({ unitId, ...point }: UnitPoint) {
  const { key, name, function: code, address, documented, type, order } = point;
  const { registers, scale, offset, unit, kind, range } = point;
  const place = { unit_id: unitId, key, name, function: code, address, documented };
  return { ...place, type, order, registers, scale, offset, unit, kind, range };
}

export const gatewayAlertSchema = z
  .object({
    id: z.int(),
    type: z.enum(['GATEWAY_OFFLINE', 'GATEWAY_DISABLED', 'POINT_BAD', 'UNIT_SILENT']),
    code: z.string().nullable(),
    unit: z.string().nullable().openapi({ description: 'the unit that it is about' }),
    severity: z.enum(['YELLOW', 'RED']),
    state: z.enum(['NEW', 'ACKED', 'RESOLVED']),
    message: z.string(),
    started_at: instantSchema,
    acked_by: z.string().nullable(),
    resolved_at: nullableInstant,
  })
  .openapi('GatewayAlert');

export function alertJson(alert: GatewayAlertRow) {
  const { id, code, unit, severity, state, message } = alert;
  return {
    id,
    code,
    unit,
    severity,
    state,
    message,
    acked_by: alert.acked_by,
    type: alert.type as z.output<typeof gatewayAlertSchema>['type'],
    started_at: alert.started_at.toISOString(),
    resolved_at: iso(alert.resolved_at),
  };
}

export const gatewayDetailSchema = gatewaySchema
  .extend({
    quirks: z.record(z.string(), z.unknown()),
    next_slot: nullableInstant,
    shard: z.object({ number: z.int(), of: z.int(), walked_by: z.string().nullable() }),
    points: z.array(pointValueSchema),
    texts: z.array(
      z.object({
        unit_id: z.int(),
        key: z.string(),
        value: z.string(),
        changed_at: instantSchema,
      }),
    ),
    refused: z
      .array(
        z.object({
          unit_id: z.int(),
          function: z.int(),
          address: z.int(),
          count: z.int(),
          exception: z.int(),
          at: instantSchema,
        }),
      )
      .openapi({ description: 'ranges that its units refuse' }),
    alerts: z.array(gatewayAlertSchema),
    last_polls: z.array(gatewayReadingSchema),
  })
  .openapi('GatewayDetail');
