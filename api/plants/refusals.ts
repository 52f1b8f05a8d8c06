import { sentenceOf } from '../../domain/wording.ts';
import type { Db } from '../../db/database.ts';
import type { AddProblem } from '../../db/plants/add-plants.ts';
import { findPlantIn, type PlantRow } from '../../db/plants/plants.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { PlantField } from '../../domain/plants/plant-draft.ts';
import type { Refusal } from '../../operations/plants/actions.ts';
import { Problem } from '../problem.ts';

/** The one table from refusals of people's actions to problem documents. */

/** The fields of a draft that a request names differently. */
const apiFields: Partial<Record<PlantField, string>> = {
  account: 'vendor_account_id',
  customer: 'customer_id',
  capacity_kw: 'installed_capacity_kw',
  interval: 'poll_interval_s',
  status: 'integration_status',
};

export const apiField = (field: PlantField): string => apiFields[field] ?? field;

/** Returns the result of an action. Throws Problem if the action was refused. */
export function orProblem<Done extends object>(result: Done | Refusal): Done {
  if ('refusal' in result) throw problemOf(result);
  return result;
}

/** The plant, if the person may see it. Throws Problem 404. */
export async function plantOr404(db: Db, scope: PlantScope, plantId: string): Promise<PlantRow> {
  const plant = await findPlantIn(db, scope, plantId);
  if (plant === undefined) throw problemOf({ refusal: 'UNKNOWN_PLANT', plantId });
  return plant;
}

export function problemOf(refusal: Refusal): Problem {
  switch (refusal.refusal) {
    case 'UNKNOWN_PLANT':
      return new Problem('not-found', 'There is no such plant.');
    case 'UNKNOWN_ALERT':
      return new Problem('not-found', 'There is no such alert.');
    case 'NOT_NOW':
      return new Problem('conflict', notNowSentence(refusal));
    case 'NO_USE':
      return new Problem(
        'conflict',
        refusal.fault === 'MISSING'
          ? `The account ${refusal.accountId} has no credentials yet: store some, and the plant is polled.`
          : `The credentials of the account ${refusal.accountId} cannot be used: store others, and the plant is polled.`,
      );
    case 'ALERT_RESOLVED':
      return new Problem('conflict', 'The alert is resolved: it can no longer be acknowledged.');
    case 'WRONG_VALUE':
      return wrongFields('invalid-request', [
        { path: apiField(refusal.field), message: refusal.problem },
      ]);
    case 'TAKEN':
      return wrongFields('conflict', [{ path: refusal.field, message: refusal.problem }]);
    case 'HAS_ANSWERED':
      return new Problem(
        'conflict',
        `The plant has answered as ${refusal.vendorPlantId}, and its days are that plant's: remove it, and add the right one under another id.`,
      );
    case 'REMOVED':
      return new Problem(
        'conflict',
        `The plant was removed at ${refusal.removedAt.toISOString()}.`,
      );
    case 'NOT_REMOVED':
      return new Problem('conflict', 'The plant is not removed: remove it first.');
    case 'STILL_KEPT':
      return new Problem(
        'conflict',
        `What is known of the plant is kept until ${refusal.until.toISOString()}.`,
      );
    case 'CHANGED_MEANWHILE':
      return new Problem('precondition-failed', `Its revision is ${refusal.revision} by now.`, {
        extra: { revision: refusal.revision },
      });
    case 'NOT_ADDED':
      return notAdded(refusal.problems);
    case 'ADDED_MEANWHILE':
      return new Problem('conflict', `${refusal.reason}.`);
    case 'REFUSED':
      return new Problem('conflict', sentenceOf(refusal.reason));
    case 'NO_LOOP':
      return new Problem('service-away', 'The loop of the plant is not running: is a worker up?', {
        retryAfterS: 30,
      });
    case 'NO_ANSWER':
      return new Problem(
        'answer-not-in-time',
        `The poll did not end within ${refusal.timeoutMs / 1000} s. It goes on: the plant's last polls will show its outcome.`,
      );
  }
}

function notNowSentence({
  wish,
  plantId,
  status,
}: Extract<Refusal, { refusal: 'NOT_NOW' }>): string {
  switch (wish) {
    case 'PAUSE':
      return 'The plant waits for its documents and is not polled anyway.';
    case 'RESUME':
      return 'The plant waits for its documents: set integration_status to ACTIVE when they are complete.';
    case 'ACTIVATE':
      return `The plant is ${status}: POST /api/v1/plants/${plantId}/resume lifts that.`;
    case 'POLL':
      return `The plant is ${status} and is not polled.`;
  }
}

function notAdded(problems: readonly AddProblem[]): Problem {
  const isInvalid = problems.every(({ field }) => ['timezone', 'status_profile'].includes(field));
  return wrongFields(
    isInvalid ? 'invalid-request' : 'conflict',
    problems.map(({ field, problem }) => ({ path: apiField(field), message: problem })),
  );
}

function wrongFields(
  kind: 'invalid-request' | 'conflict',
  fields: readonly { path: string; message: string }[],
): Problem {
  const detail = fields.map(({ path, message }) => `${path} ${message}`).join('; ');
  return new Problem(kind, `${detail}.`, {
    extra: { errors: fields.map((field) => ({ in: 'json', ...field })) },
  });
}
