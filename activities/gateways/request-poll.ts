import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';

import { requestPoll, waitForAnswer } from '../../db/gateways/requests.ts';
import type { Database } from '../../db/tables.ts';
import type { RequestPollArgs, RequestPollResult } from './contract.ts';

/** Asks the walker for a poll, for a person in Temporal's Web UI. */

const answerMsMax = 12_000;

export function createRequestPoll({ db }: { db: Kysely<Database> }) {
  return async function requestGatewayPoll({
    gatewayId,
    requestedBy,
  }: RequestPollArgs): Promise<RequestPollResult> {
    const known = await db
      .selectFrom('gateways')
      .select('id')
      .where('id', '=', gatewayId)
      .where('removed_at', 'is', null)
      .executeTakeFirst();
    if (known === undefined)
      throw ApplicationFailure.nonRetryable(`there is no gateway "${gatewayId}"`, 'UNKNOWN');
    const id = await requestPoll(db, { gatewayId, by: requestedBy });
    const answer = await waitForAnswer(db, id, answerMsMax);
    if (answer === null)
      throw ApplicationFailure.nonRetryable(
        `no worker answered for gateway ${gatewayId} within ${answerMsMax / 1_000} s`,
        'NO_ANSWER',
      );
    return { ...answer };
  };
}
