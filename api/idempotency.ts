import { createHash } from 'node:crypto';

import type { Context } from 'hono';

import { claimKey, type IdempotencyKey, releaseKey, storeAnswer } from '../db/idempotency.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiEnv } from './env.ts';
import { Problem, type ProblemKind } from './problem.ts';

/** `Idempotency-Key`: the same request with the same key runs once and gets the same answer again. */

/** A problem of work that began: it is also the answer to the second request. */
const finalProblem: ProblemKind = 'answer-not-in-time';

/** The stored answer: a value or a problem. */
type Stored<Value> = { value: Value } | { problem: { kind: ProblemKind; detail: string } };

/**
 * Runs the request, or returns the answer of the same request within the last 24 h. A problem without any effect frees the
 * key.
 *
 * @throws Problem 409 while the first request runs, 422 if the key belongs to another request.
 */
export async function idempotently<Value>(
  c: Context<ApiEnv>,
  deps: Pick<ApiDeps, 'db'>,
  run: () => Promise<Value>,
): Promise<Value> {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return run();
  const own: IdempotencyKey = { scope: `user:${c.get('person').userId}`, key };
  const requestHash = createHash('sha256')
    .update(`${c.req.method} ${c.req.path}\n${await c.req.text()}`)
    .digest();
  const claim = await claimKey(deps.db, own, requestHash);
  switch (claim.kind) {
    case 'OTHER_REQUEST':
      throw new Problem('invalid-request', 'This Idempotency-Key was used for another request.');
    case 'RUNNING':
      throw new Problem(
        'conflict',
        'The first request with this Idempotency-Key is still running.',
        {
          retryAfterS: 1,
        },
      );
    case 'ANSWERED':
      return valueOf(claim.answer.body as Stored<Value>);
    case 'CLAIMED':
      return valueOf(await firstTime(deps, own, run));
  }
}

async function firstTime<Value>(
  deps: Pick<ApiDeps, 'db'>,
  own: IdempotencyKey,
  run: () => Promise<Value>,
): Promise<Stored<Value>> {
  let stored: Stored<Value>;
  try {
    stored = { value: await run() };
  } catch (error) {
    if (!(error instanceof Problem) || error.kind !== finalProblem) {
      await releaseKey(deps.db, own);
      throw error;
    }
    stored = { problem: { kind: error.kind, detail: error.message } };
  }
  await storeAnswer(deps.db, own, { status: 'value' in stored ? 200 : 504, body: stored });
  return stored;
}

function valueOf<Value>(stored: Stored<Value>): Value {
  if ('value' in stored) return stored.value;
  throw new Problem(stored.problem.kind, stored.problem.detail);
}
