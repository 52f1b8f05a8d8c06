import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Locks } from '../db/lock.ts';
import type { CheckOutcome } from '../db/polling-checks.ts';
import type { Database } from '../db/tables.ts';
import { minuteMs } from '../domain/zone.ts';
import { components } from './components.ts';
import { type Finding, inspect, type Look, type State } from './diagnosis.ts';
import {
  auditGateways,
  type GatewayCounts,
  type GatewayViolation,
  type GatewayViolationKind,
} from './gateways/check.ts';
import { shardCount } from './gateways/shards.ts';
import { audit, type AuditReport, type Violation, type ViolationKind } from './plants/check.ts';

/** The checks of plants and gateways together, as people ask for them and as Schedules run them. */

export type AnyViolationKind = ViolationKind | GatewayViolationKind;

/** The audit of plants, with that of gateways. */
export interface WholeAudit extends Omit<AuditReport, 'violations'> {
  gateways: GatewayCounts;
  violations: ((Violation & { gateway_id: null }) | GatewayViolation)[];
}

export interface WholeAuditOptions {
  db: Kysely<Database>;
  client: Client;
  locks: Pick<Locks, 'list'>;
  gatewayShards?: number;
  fromMs?: number;
  toMs?: number;
}

/** Checks every invariant of plants and gateways. @throws what the services throw when they are away. */
export async function auditAll(options: WholeAuditOptions): Promise<WholeAudit> {
  const { db, fromMs, toMs } = options;
  const plants = await audit(options);
  const window = {
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  };
  const gateways = await auditGateways(db, { ...window, shards: shardCount(options) });
  return {
    ...plants,
    gateways: gateways.counts,
    violations: [
      ...plants.violations.map((one) => ({ ...one, gateway_id: null })),
      ...gateways.violations,
    ],
    truncated: plants.truncated || gateways.truncated,
  };
}

/** How far an automatic audit looks back, ms: over two of its runs, so that no slot is left out. */
const auditedMs = 20 * minuteMs;
/** Sentences that a run keeps. */
const sentencesMax = 20;

/** The automatic audit, of the newest slots. */
export async function runAudit(
  options: Omit<WholeAuditOptions, 'fromMs' | 'toMs'>,
  nowMs: number,
): Promise<CheckOutcome> {
  const report = await auditAll({ ...options, fromMs: nowMs - auditedMs, toMs: nowMs });
  const { violations, counts, gateways } = report;
  return {
    state: violations.length === 0 ? 'ok' : 'down',
    findings: violations.length,
    kinds: countedKinds(violations.map(({ kind }) => kind)),
    counts: { slots_due: counts.slots_due, gateway_slots_due: gateways.slots_due },
    sentences: violations
      .slice(0, sentencesMax)
      .map(({ plant_id: plantId, gateway_id: gatewayId, kind, sentence }) =>
        [kind, plantId ?? gatewayId, sentence].filter((part) => part !== null).join(' '),
      ),
  };
}

/** The automatic validation: what fails in the fleet has its own alerts, and does not count. */
export async function runValidate(look: Look): Promise<CheckOutcome> {
  const { inspections, findings } = await inspect(components, look);
  const ours = findings.filter(({ about }) => about === 'SYSTEM');
  return {
    state: worstOf(ours),
    findings: ours.length,
    kinds: countedKinds(ours.map(({ kind, component }) => kind ?? component)),
    counts: Object.assign({}, ...inspections.map(({ counts }) => counts)) as Record<string, number>,
    sentences: ours
      .slice(0, sentencesMax)
      .map(({ kind, component, facts, sentence }) =>
        [kind ?? component, Object.values(facts ?? {})[0] ?? null, sentence]
          .filter((part) => part !== null)
          .join(' '),
      ),
  };
}

function worstOf(findings: readonly Finding[]): State {
  if (findings.some(({ state }) => state === 'down')) return 'down';
  return findings.length > 0 ? 'degraded' : 'ok';
}

function countedKinds(kinds: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => [kind, all.length]),
  );
}
