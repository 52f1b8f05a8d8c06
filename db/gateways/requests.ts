import type { ReadFunction } from '../../domain/gateways/point.ts';
import { type Db, query } from '../database.ts';
import type { ShardPlace } from './walk.ts';

/** What people ask of a walker, and its answers: rows of gateway_requests, told on the channel `gateway_requests`. */

/** Registers (functions 3 and 4) or bits (1 and 2) to read. */
export interface ReadArguments {
  unitId: number;
  function: ReadFunction;
  /** As sent. */
  address: number;
  count: number;
}

export type GatewayRequest = {
  id: number;
  gatewayId: string;
  requestedBy: string;
} & ({ kind: 'POLL' } | { kind: 'READ'; arguments: ReadArguments });

/** The answer to a POLL: the poll's row with its points. */
export interface PollAnswer {
  outcome: string;
  /** One word; null when the outcome is OK. */
  reason: string | null;
  message: string | null;
  /** ISO 8601 in UTC. */
  read_at: string;
  points: AnsweredPoint[];
}

export interface AnsweredPoint {
  unit_id: number;
  key: string;
  value: number | string | null;
  unit: string | null;
  /** GOOD, BAD(RANGE), MISSING(SENTINEL) … */
  quality: string;
  /** The bytes of the device in hexadecimal; null where it sent none. */
  raw: string | null;
}

/** The answer to a READ; and to any request that could not be carried out. */
export type ReadAnswer =
  | { bytes_hex: string }
  | { exception: number }
  | { failure: { reason: string; message: string } };

export type Answer = PollAnswer | ReadAnswer;

/** A request that was not answered for so long is dead: no walker polls for somebody who went away. */
const openMs = 60_000;
/** How often a waiting caller looks at its row. */
const lookMs = 100;
/** Answers are kept this long, for those who ask once more. */
const keptHours = 24;

/**
 * Asks for a poll now. While one waits, another request is answered by the same poll.
 *
 * @returns the id of the request.
 */
export async function requestPoll(
  db: Db,
  { gatewayId, by }: { gatewayId: string; by: string },
): Promise<number> {
  await closeDead(db, gatewayId);
  // Two tries: the request that stood in the way may be answered just now.
  for (let tries = 0; tries < 2; tries += 1) {
    const [row] = await query(db)<{ id: number }>`
      with asked as (
        insert into gateway_requests (gateway_id, kind, requested_by) values (${gatewayId}, 'POLL', ${by})
        on conflict do nothing returning id)
      select id from asked union all
      select id from gateway_requests where gateway_id = ${gatewayId} and kind = 'POLL' and answered_at is null
      limit 1`;
    if (row !== undefined) return row.id;
  }
  throw new Error(`the request for a poll of gateway ${gatewayId} could not be written`);
}

/** Asks for a read of registers. @returns the id of the request. */
export async function requestRead(
  db: Db,
  { gatewayId, by, ...read }: { gatewayId: string; by: string } & ReadArguments,
): Promise<number> {
  await closeDead(db, gatewayId);
  const [row] = await query(db)<{ id: number }>`
    insert into gateway_requests (gateway_id, kind, arguments, requested_by)
    values (${gatewayId}, 'READ', ${JSON.stringify(read)}::jsonb, ${by}) returning id`;
  if (row === undefined) throw new Error(`the request of gateway ${gatewayId} was not written`);
  return row.id;
}

/** Ends requests that no walker answered in time, and forgets old ones. */
async function closeDead(db: Db, gatewayId: string): Promise<void> {
  const failure: Answer = {
    failure: { reason: 'NO_WORKER', message: 'no worker answered within a minute' },
  };
  await query(db)`
    update gateway_requests set answered_at = clock_timestamp(), answer = ${JSON.stringify(failure)}::jsonb
    where gateway_id = ${gatewayId} and answered_at is null
      and requested_at < clock_timestamp() - make_interval(secs => ${openMs / 1_000})`;
  await query(db)`
    delete from gateway_requests
    where gateway_id = ${gatewayId} and requested_at < clock_timestamp() - make_interval(hours => ${keptHours})`;
}

/** Requests of a shard's gateways that wait for an answer, the oldest first. */
export async function listOpenRequests(
  db: Db,
  { shard, shards }: ShardPlace,
): Promise<GatewayRequest[]> {
  return query(db)<GatewayRequest>`
    select r.id, r.gateway_id as "gatewayId", r.requested_by as "requestedBy", r.kind, r.arguments
    from gateway_requests r join gateways g on g.id = r.gateway_id
    where r.answered_at is null and r.requested_at > clock_timestamp() - make_interval(secs => ${openMs / 1_000})
      and g.address_hash % ${shards}::bigint = ${shard}::bigint
    order by r.id`;
}

/** Answers a request, once. @returns false if it is answered already. */
export async function answerRequest(db: Db, id: number, answer: Answer): Promise<boolean> {
  const rows = await query(db)`
    update gateway_requests set answered_at = clock_timestamp(), answer = ${JSON.stringify(answer)}::jsonb
    where id = ${id} and answered_at is null returning id`;
  return rows.length > 0;
}

/** Waits for an answer. @returns null when none came in time. */
export async function waitForAnswer(db: Db, id: number, timeoutMs: number): Promise<Answer | null> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const [row] = await query(db)<{ answer: Answer | null }>`
      select answer from gateway_requests where id = ${id} and answered_at is not null`;
    if (row !== undefined) return row.answer;
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return null;
    await new Promise((resolve) => setTimeout(resolve, Math.min(lookMs, leftMs)));
  }
}
