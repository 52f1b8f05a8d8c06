import { randomUUID } from 'node:crypto';

import { type Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';

import { lockGateways } from '../../db/gateways/gateways.ts';
import { findOpenHalt } from '../../db/halts.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import { parseTestTarget } from '../../domain/gateways/definition.ts';
import { validateTarget } from '../../domain/gateways/validate.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import {
  modbusQueue,
  type TestGatewayArgs,
  type TestGatewayInput,
  type TestGatewayResult,
  testGatewayWorkflowId,
} from '../../workflows/gateways/messages.ts';
import type { GatewayRefusal, Presets } from './actions.ts';

/**
 * Tries an address before it is a gateway, or a gateway that exists, from the process that would poll it. Nothing is saved.
 * What the device does is the result, and so is why there is none.
 */

/** How long people wait for a test, ms. */
export const testWaitMs = 45_000;
/** Beyond the wait: for the answer that the wait is over. */
const graceMs = 5_000;

export interface TestDeps {
  db: Kysely<Database>;
  client: Client;
}

/** Why there is no result. */
export type TestRefusal =
  | Extract<GatewayRefusal, { refusal: 'UNKNOWN_GATEWAY' | 'REMOVED' | 'NOT_VALID' }>
  | Omit<Extract<GatewayRefusal, { refusal: 'HALTED' }>, 'gatewayId'>
  /** Nobody takes tasks of this queue. */
  | { refusal: 'NO_WORKER'; queue: string }
  /** It ran and did not end in time. */
  | { refusal: 'TEST_TOO_LONG'; timeoutMs: number }
  /** Its worker died, or a person ended it. */
  | { refusal: 'TEST_ENDED' };

/**
 * Connects to an address and reads once.
 *
 * @param json `{ host, port?, unit_id, preset? }` as a person gave it.
 * @throws ServiceError when Temporal is away.
 */
export async function testAddress(
  deps: TestDeps,
  json: unknown,
  how: { presets: Presets; isDiscovery?: boolean; timeoutMs?: number },
): Promise<TestGatewayResult | TestRefusal> {
  const parsed = parseTestTarget(json);
  const problems =
    'problems' in parsed ? parsed.problems : validateTarget(parsed.target, how.presets);
  if ('problems' in parsed || problems.length > 0)
    return { refusal: 'NOT_VALID', problems: problems.map((one) => ({ ...one, index: null })) };
  const { host, port, unitId, preset } = parsed.target;
  const kind = how.isDiscovery === true ? 'DISCOVER' : 'TEST';
  return run(deps, randomUUID(), { kind, host, port, unitIds: [unitId], preset }, how.timeoutMs);
}

/**
 * Reads all points of a gateway once, also of a paused one. Who asks while a test of it runs gets its result.
 *
 * @throws ServiceError when Temporal is away.
 */
export async function testKnownGateway(
  deps: TestDeps,
  gatewayId: string,
  how: { scope: PlantScope; timeoutMs?: number },
): Promise<TestGatewayResult | TestRefusal> {
  const [row] = await lockGateways(deps.db, how.scope, [gatewayId]);
  if (row === undefined) return { refusal: 'UNKNOWN_GATEWAY', gatewayId };
  if (row.removed_at !== null) return { refusal: 'REMOVED', gatewayId, removedAt: row.removed_at };
  return run(deps, gatewayId, { kind: 'GATEWAY', gatewayId }, how.timeoutMs);
}

/** @param id ends the id of the workflow. */
async function run(
  deps: TestDeps,
  id: string,
  args: TestGatewayArgs,
  timeoutMs: number = testWaitMs,
): Promise<TestGatewayResult | TestRefusal> {
  const { client } = deps;
  const halted = await haltOf(deps);
  if (halted !== null) return halted;
  const input: TestGatewayInput = { ...args, v: 1 };
  return client.withDeadline(Date.now() + timeoutMs + graceMs, async () => {
    const handle = await client.workflow.start<
      (input: TestGatewayInput) => Promise<TestGatewayResult>
    >('testGateway', {
      workflowId: testGatewayWorkflowId(id),
      taskQueue: fleetQueue,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
      // Nothing of it outlives the person's patience.
      workflowExecutionTimeout: timeoutMs,
      staticSummary: 'tries a gateway and saves nothing',
    });
    try {
      return await handle.result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      return refusalOf(deps, error, { handle, args, timeoutMs });
    }
  });
}

async function haltOf({ db }: TestDeps): Promise<TestRefusal | null> {
  const halt = await findOpenHalt(db);
  return halt && { refusal: 'HALTED', since: halt.fromAt, by: halt.by };
}

/** Why a test failed. @throws the error if it is one of ours. */
async function refusalOf(
  deps: TestDeps,
  error: WorkflowFailedError,
  { handle, args, timeoutMs }: { handle: WorkflowHandle; args: TestGatewayArgs; timeoutMs: number },
): Promise<TestRefusal> {
  const { cause } = error;
  if (cause instanceof TimeoutFailure)
    return (await hasBegun(handle))
      ? { refusal: 'TEST_TOO_LONG', timeoutMs }
      : { refusal: 'NO_WORKER', queue: fleetQueue };
  if (!(cause instanceof ActivityFailure)) return { refusal: 'TEST_ENDED' };
  const reason = cause.cause;
  if (reason instanceof TimeoutFailure)
    return reason.timeoutType === 'SCHEDULE_TO_START'
      ? { refusal: 'NO_WORKER', queue: modbusQueue }
      : { refusal: 'TEST_ENDED' };
  if (!(reason instanceof ApplicationFailure)) return { refusal: 'TEST_ENDED' };
  if (reason.type === 'HALTED') return (await haltOf(deps)) ?? { refusal: 'TEST_ENDED' };
  if (reason.type === 'UNKNOWN_GATEWAY' && args.kind === 'GATEWAY')
    return { refusal: 'UNKNOWN_GATEWAY', gatewayId: args.gatewayId };
  // The worker has other presets than this process.
  if (reason.type === 'UNKNOWN_PRESET') {
    const problem = { path: 'preset', message: reason.message, code: 'preset_unknown' as const };
    return { refusal: 'NOT_VALID', problems: [{ ...problem, index: null }] };
  }
  throw error;
}

/** Whether a worker has taken a task of the workflow. */
async function hasBegun(handle: WorkflowHandle): Promise<boolean> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).some((event) => event.workflowTaskStartedEventAttributes != null);
}
