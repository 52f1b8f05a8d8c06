import { type Kysely, sql } from 'kysely';

import type { AlertSeverity, AlertState } from '../../domain/plants/facts.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { lockPlant } from './plants.ts';
import type { Database } from '../tables.ts';

/** What people decide of alerts. The loop sees it by the plant's revision, which every decision raises. */

export interface Ack {
  comment: string | null;
  /** NEW again after it; null: until the condition ends. */
  until: Date | null;
}

export type AckResult =
  | {
      kind: 'ACKED';
      alert: {
        id: number;
        plant_id: string;
        state: 'ACKED';
        severity: AlertSeverity;
        acked_at: Date;
        acked_by: string;
        acked_until: Date | null;
        ack_comment: string | null;
      };
    }
  | { kind: 'RESOLVED'; plantId: string; resolvedAt: Date | null }
  | { kind: 'UNKNOWN' };

/**
 * Acknowledges an active alert, in one transaction with its event, its row of the audit log and the plant's revision. An
 * alert that is ACKED already takes the new comment and time; that is no transition and leaves no event. A resolved one
 * stays as it is.
 *
 * @param scope of a customer: other customers' alerts are unknown.
 */
export async function ackAlert(
  db: Kysely<Database>,
  alertId: number,
  ack: Ack,
  by: Decider,
  at: Date,
  scope: { customerId: string | null } = { customerId: null },
): Promise<AckResult> {
  return db.transaction().execute(async (trx): Promise<AckResult> => {
    const found = await trx
      .selectFrom('alerts')
      .select('plant_id')
      .where('id', '=', alertId)
      .executeTakeFirst();
    // The plant first, as the loop does: two who wait for each other would wait for ever.
    const plant = found === undefined ? undefined : await lockPlant(trx, found.plant_id);
    const isForeign = scope.customerId !== null && plant?.customer_id !== scope.customerId;
    if (plant === undefined || isForeign) return { kind: 'UNKNOWN' };
    const before = await trx
      .selectFrom('alerts')
      .select([
        'state',
        'severity',
        'acked_at',
        'acked_by',
        'acked_until',
        'ack_comment',
        'resolved_at',
      ])
      .where('id', '=', alertId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (before.state === 'RESOLVED')
      return { kind: 'RESOLVED', plantId: plant.id, resolvedAt: before.resolved_at };
    const after = {
      state: 'ACKED' as const,
      acked_at: at,
      acked_by: by.actor,
      acked_until: ack.until,
      ack_comment: ack.comment,
    };
    await trx.updateTable('alerts').set(after).where('id', '=', alertId).execute();
    if (before.state === 'NEW') {
      await trx
        .insertInto('alert_events')
        .values({
          alert_id: alertId,
          at,
          from_state: 'NEW',
          to_state: 'ACKED',
          severity: before.severity,
          actor: by.actor,
          reason: ackReason(ack),
        })
        .execute();
    }
    await recordDecisions(
      trx,
      [
        {
          action: 'alert.ack',
          subjectType: 'ALERT',
          subjectId: String(alertId),
          before: ackOf(before),
          after: ackOf(after),
        },
      ],
      by,
      at,
    );
    await raiseRevision(trx, plant.id);
    return {
      kind: 'ACKED',
      alert: { id: alertId, plant_id: plant.id, severity: before.severity, ...after },
    };
  });
}

function ackReason({ comment, until }: Ack): string {
  const ends = until === null ? '' : ` until ${until.toISOString()}`;
  return `acknowledged${ends}${comment === null ? '' : `: ${comment}`}`;
}

function ackOf(alert: {
  state: AlertState;
  acked_by: string | null;
  acked_until: Date | null;
  ack_comment: string | null;
}) {
  const { state, acked_by, acked_until, ack_comment } = alert;
  return { state, acked_by, acked_until, ack_comment };
}

/** The loop looks at a plant whose revision it has not seen. Columns that people own raise it by themselves. */
async function raiseRevision(trx: Kysely<Database>, plantId: string): Promise<void> {
  await trx
    .updateTable('plants')
    .set({ revision: sql`revision + 1` })
    .where('id', '=', plantId)
    .execute();
}

/**
 * Silences plants until a time, or ends their silence: their alerts stand and are counted, but nothing is announced. One
 * transaction with a row of the audit log for each plant.
 *
 * @param silence until null: unsilenced. @returns the ids of the plants that exist.
 */
export async function silencePlants(
  db: Kysely<Database>,
  plantIds: readonly string[],
  silence: { until: Date | null; reason: string | null },
  by: Decider,
  at: Date,
): Promise<string[]> {
  const { until, reason } = silence;
  return db.transaction().execute(async (trx) => {
    const before = await trx
      .selectFrom('plants')
      .select(['id', 'alerts_silenced_until'])
      .where(sql<boolean>`id = any(${[...plantIds]}::text[])`)
      .orderBy('id')
      .forUpdate()
      .execute();
    const ids = before.map((plant) => plant.id);
    await trx
      .updateTable('plants')
      .set({ alerts_silenced_until: until })
      .where(sql<boolean>`id = any(${ids}::text[])`)
      .execute();
    await recordDecisions(
      trx,
      before.map(({ id, alerts_silenced_until }) => ({
        action: until === null ? 'plant.unsilence' : 'plant.silence',
        subjectType: 'PLANT',
        subjectId: id,
        before: { alerts_silenced_until },
        after: { alerts_silenced_until: until, reason },
      })),
      by,
      at,
    );
    return ids;
  });
}
