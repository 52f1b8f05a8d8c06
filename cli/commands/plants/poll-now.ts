import type { PollNow } from '../../../operations/plants/poll-now.ts';
import type { Outcome } from '../../../domain/plants/plant.ts';

/** A poll that came to anything else has failed. */
export const goodOutcomes: ReadonlySet<Outcome> = new Set(['OK', 'PARTIAL']);

/** Why there is no answer, and what to do. */
export function pollNowSentence(
  result: Exclude<PollNow, { kind: 'ANSWER' }>,
  plantId: string,
): string {
  switch (result.kind) {
    case 'REFUSED':
      return result.reason;
    case 'NO_LOOP':
      return `plant ${plantId} was not polled: its loop is not running. Is a worker up?`;
    case 'NO_ANSWER':
      return `no answer within ${result.timeoutMs / 1000} s: is a worker up, or the vendor slow? \`heliograph plants show ${plantId}\` tells what became of it.`;
  }
}
