import type { GatewayRefusal } from '../../operations/gateways/actions.ts';
import type { TestRefusal } from '../../operations/gateways/test-address.ts';
import { Problem } from '../problem.ts';

/** The one table from refusals of people's actions on gateways to problem documents. */

/** Returns the result of an action. Throws Problem if the action was refused. */
export function orProblem<Done extends object>(result: Done | GatewayRefusal | TestRefusal): Done {
  if ('refusal' in result) throw problemOf(result);
  return result;
}

export function problemOf(refusal: GatewayRefusal | TestRefusal): Problem {
  switch (refusal.refusal) {
    case 'UNKNOWN_GATEWAY':
      return new Problem('not-found', 'There is no such gateway.');
    case 'UNKNOWN_ALERT':
      return new Problem('not-found', 'There is no such alert.');
    case 'ALERT_RESOLVED':
      return new Problem('conflict', 'The alert is resolved: it can no longer be acknowledged.');
    case 'REMOVED':
      return new Problem(
        'conflict',
        `The gateway was removed at ${refusal.removedAt.toISOString()}.`,
      );
    case 'PAUSED':
      return new Problem('conflict', 'The gateway is paused: resume it first.');
    case 'CHANGED_MEANWHILE':
      return new Problem('precondition-failed', `Its revision is ${refusal.revision} by now.`, {
        extra: { revision: refusal.revision },
      });
    case 'NOT_VALID':
      return invalidDefinition(refusal.problems);
    case 'HALTED':
      return new Problem(
        'conflict',
        `All polling is stopped since ${refusal.since.toISOString()} by ${refusal.by}.`,
      );
    case 'NO_ANSWER':
      return new Problem(
        'answer-not-in-time',
        `No walker answered within ${refusal.timeoutMs / 1_000} s: does a gateway worker run? heliograph diagnose says more.`,
      );
    case 'NO_WORKER':
      return new Problem(
        'service-away',
        `No worker takes tasks of ${refusal.queue}, so that nothing was dialled: start one, heliograph diagnose says more.`,
        { retryAfterS: 30 },
      );
    case 'TEST_TOO_LONG':
      return new Problem(
        'answer-not-in-time',
        `The test did not end within ${refusal.timeoutMs / 1_000} s and was given up: name a preset, so that fewer registers are asked for.`,
      );
    case 'TEST_ENDED':
      return new Problem(
        'service-away',
        'The worker of the test went away, or somebody ended the test: try again.',
        { retryAfterS: 5 },
      );
  }
}

/** Every problem of a definition with its path. */
export function invalidDefinition(
  problems: readonly { path: string; message: string; code?: string }[],
): Problem {
  const detail = problems
    .map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
    .join('; ');
  const isTaken = problems.every(({ code }) => code === 'id_taken');
  return new Problem(isTaken ? 'conflict' : 'invalid-request', `${detail}.`, {
    extra: { errors: problems.map(({ path, message }) => ({ in: 'json', path, message })) },
  });
}
