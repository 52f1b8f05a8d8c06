import { describe, expect, test } from 'vitest';

import { failureOf } from '../../cli/commands/plants/refusals.ts';
import { plantsSet } from '../../cli/commands/plants/plants-set.ts';
import type { Refusal } from '../../operations/plants/actions.ts';
import { problemOf } from './refusals.ts';

const plantId = 'canal';
const notNow = (
  wish: Extract<Refusal, { refusal: 'NOT_NOW' }>['wish'],
  status: Extract<Refusal, { refusal: 'NOT_NOW' }>['status'],
): Refusal => ({ refusal: 'NOT_NOW', wish, plantId, status });
const notAdded = (field: 'timezone' | 'status_profile' | 'account'): Refusal => ({
  refusal: 'NOT_ADDED',
  problems: [{ index: 0, field, problem: 'is wrong' }],
});

/** Each refusal, with its status and sentence over HTTP, and its exit code and first words at a terminal. */
const table: [Refusal, number, string, number, string][] = [
  [{ refusal: 'UNKNOWN_PLANT', plantId }, 404, 'There is no such plant.', 1, 'there is no plant'],
  [{ refusal: 'UNKNOWN_ALERT', alertId: 7 }, 404, 'There is no such alert.', 1, 'there is no'],
  [notNow('PAUSE', 'PENDING_DOCS'), 409, 'The plant waits for its documents and is', 1, 'plant'],
  [notNow('RESUME', 'PENDING_DOCS'), 409, 'The plant waits for its documents: set', 1, 'plant'],
  [
    notNow('ACTIVATE', 'PAUSED_AUTH_ERROR'),
    409,
    'The plant is PAUSED_AUTH_ERROR: POST',
    1,
    'canal',
  ],
  [notNow('POLL', 'PENDING_DOCS'), 409, 'The plant is PENDING_DOCS and is not polled.', 1, 'plant'],
  [
    { refusal: 'ALERT_RESOLVED', alertId: 7, plantId, resolvedAt: null },
    409,
    'The alert is resolved: it can no longer be acknowledged.',
    1,
    'alert 7 of canal is resolved since a while',
  ],
  [
    { refusal: 'WRONG_VALUE', field: 'status_profile', plantId, problem: 'is wrong' },
    422,
    'status_profile is wrong.',
    2,
    '--status-profile of canal is wrong\nusage:',
  ],
  [{ refusal: 'CHANGED_MEANWHILE', revision: 4 }, 412, 'Its revision is 4 by now.', 1, 'somebody'],
  [notAdded('timezone'), 422, 'timezone is wrong.', 2, '--timezone is wrong\nusage:'],
  [notAdded('status_profile'), 422, 'status_profile is wrong.', 1, '--status-profile is wrong'],
  [notAdded('account'), 409, 'vendor_account_id is wrong.', 1, '--account is wrong\nnothing was'],
  [{ refusal: 'ADDED_MEANWHILE', reason: 'too late' }, 409, 'too late.', 1, 'too late'],
  [{ refusal: 'REFUSED', plantId, reason: 'it is paused' }, 409, 'it is paused.', 1, 'it is'],
  [{ refusal: 'NO_LOOP', plantId }, 503, 'The loop of the plant is not running', 1, 'plant canal'],
  [
    { refusal: 'NO_ANSWER', plantId, timeoutMs: 30_000 },
    504,
    'The poll did not end within 30 s. It goes on',
    1,
    'no answer within 30 s',
  ],
];

describe('a refusal', () => {
  test.each(table)('%j is a problem over HTTP and a sentence at a terminal', (...row) => {
    const [refusal, status, detail, exitCode, words] = row;
    const problem = problemOf(refusal);
    expect({ status: problem.status, detail: problem.message }).toEqual({
      status,
      detail: expect.stringMatching(new RegExp(`^${detail.replaceAll('.', '\\.')}`)),
    });
    const failure = failureOf({ command: plantsSet }, refusal);
    expect(failure.exitCode).toBe(exitCode);
    expect(failure.message.startsWith(words), failure.message).toBe(true);
  });
});
