import type { Generated, GeneratedAlways } from 'kysely';

import type { AlertSeverity } from '../domain/alerts.ts';
import type { SubjectKind } from '../domain/subject.ts';
import type { Instant, NullableJson } from './columns.ts';
import type { PartitionedTable } from './ledger/ledger.ts';
import { gatewayLedger, quarterRollups } from './gateways/ledger.ts';
import type { GatewayTables } from './gateways/tables.ts';
import type { NotificationTables } from './notifications/tables.ts';
import type { PeopleTables } from './people/tables.ts';
import { plantLedger } from './plants/ledger.ts';
import type { PlantTables } from './plants/tables.ts';

/** The list of all tables: those of each context, and those that serve every context. */

/** Why a notification is not told. WITHHELD: an incident of the brand speaks for it. */
export type DropReason = 'ENDED' | 'TOO_OLD' | 'WITHHELD';

export type { Role } from './people/tables.ts';

export interface Database extends PlantTables, GatewayTables, NotificationTables, PeopleTables {
  audit_log: {
    id: Generated<number>;
    at: Instant;
    actor: string;
    action: string;
    subject_type: SubjectKind;
    subject_id: string;
    before: NullableJson<unknown>;
    after: NullableJson<unknown>;
    request_id: string | null;
  };
  notifications: {
    id: Generated<number>;
    subject_kind: SubjectKind;
    subject_id: string;
    /** The alert that it announces; null if it is about something else. */
    alert_id: number | null;
    /** The problem that it announces; null if it is about something else. */
    problem_id: number | null;
    /** What a beginning and its end have in common. */
    topic: GeneratedAlways<string>;
    /** In capitals, as each context calls it: `RAISED`. */
    kind: Uppercase<string>;
    /** Whether it tells of an end. */
    is_end: boolean;
    severity: AlertSeverity;
    created_at: Date;
    not_before: Date;
    dropped_at: Date | null;
    drop_reason: DropReason | null;
    routed_at: Date | null;
  };
  idempotency_keys: {
    /** Whose key it is, as `kind:id`: `user:7`. */
    scope: string;
    key: string;
    request_hash: Buffer;
    created_at: Instant;
    status: number | null;
    body: NullableJson<unknown>;
  };
}

/** The tables of all contexts that are partitioned by time: partitions are made for each. */
export const partitionedTables: readonly PartitionedTable[] = [
  plantLedger,
  gatewayLedger,
  quarterRollups,
];
