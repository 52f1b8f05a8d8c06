import type { Refusal, Thing } from '../../operations/notifications/actions.ts';
import type { SubscriptionRefusal } from '../../operations/notifications/subscriptions.ts';
import { Problem } from '../problem.ts';

/** The one table from refusals of what people do with notifications to problem documents. */

/** Returns the result of an action. Throws Problem if the action was refused. */
export function orProblem<Done extends object>(result: Done | SubscriptionRefusal): Done {
  if ('refusal' in result) throw problemOf(result);
  return result;
}

export function notThere(thing: Thing): Problem {
  return new Problem('not-found', `There is no such ${thing}.`);
}

function problemOf(refusal: SubscriptionRefusal): Problem {
  switch (refusal.refusal) {
    case 'UNKNOWN':
      return notThere(refusal.thing);
    case 'WRONG_VALUE':
      return wrongValue(refusal);
    case 'NAME_TAKEN':
      return new Problem('conflict', `There is a ${refusal.thing} of this name already.`);
    case 'OF_ENVIRONMENT':
      return new Problem(
        'conflict',
        'The channel is one of the environment: remove its variables from the worker instead.',
      );
    case 'IN_USE':
      return new Problem(
        'conflict',
        `Routes use the ${refusal.thing}: ${refusal.routes.join(', ')}.`,
      );
    case 'SUBSCRIPTION':
      return new Problem('conflict', 'It is the subscription of a person, who alone changes it.');
    case 'NOT_RETRIED':
      return new Problem(
        'conflict',
        `The delivery is ${refusal.state}: only one that is FAILED or DEAD is tried again.`,
      );
    case 'PROBLEM_CLOSED':
      return new Problem('conflict', 'The problem is closed: it can no longer be acknowledged.');
    case 'NO_MAIL':
      return new Problem('conflict', 'No mails are sent here: an ADMIN must add a channel first.');
  }
}

function wrongValue({ field, problem }: Extract<Refusal, { refusal: 'WRONG_VALUE' }>): Problem {
  return new Problem('invalid-request', `${field} ${problem}.`, {
    extra: { errors: [{ in: 'json', path: field, message: problem }] },
  });
}
