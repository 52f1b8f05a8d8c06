import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

import { codeOf, isServiceError } from '../db/service-error.ts';
import { PlainError } from '../domain/plain-error.ts';

/**
 * The one table of errors that leave an activity. Vendor errors are not here: they are values. Messages are redacted by
 * construction: of an unexpected error only its class, SQLSTATE and constraint come out, never its text, which may quote a
 * row or a header.
 */

/** One of our own services is away or busy: tried again for ever, from 1 s to 30 s. */
export const serviceUnavailable = 'SERVICE_UNAVAILABLE';
/** The local path is closed for this call: the regular one takes it. */
export const takeRegular = 'TAKE_REGULAR';
/** A bug, a constraint, a missing key: ends the poll FAILED/UNKNOWN with its row. */
export const unexpected = 'UNEXPECTED';

/** What is told of an error: its kind and codes, nothing of its text. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'an error that is no Error';
  const code = codeOf(error);
  const constraint = (error as { constraint?: unknown }).constraint;
  return [
    error.name,
    ...(code === null ? [] : [code]),
    ...(typeof constraint === 'string' ? [`constraint ${constraint}`] : []),
  ].join(' ');
}

/**
 * The error as Temporal gets it.
 *
 * @param attempting what was being done, for the person who reads it: "writing the poll log".
 * @param neverGiveUp every error is tried again: the ledger's own activities.
 */
export function toApplicationFailure(
  error: unknown,
  attempting: string,
  neverGiveUp: boolean,
): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (isServiceError(error)) {
    return ApplicationFailure.create({
      message: `${attempting}: a service is away (${describe(error)})`,
      type: serviceUnavailable,
      nonRetryable: false,
      category: 'BENIGN',
    });
  }
  const message = error instanceof PlainError ? error.message : `${attempting}: ${describe(error)}`;
  return ApplicationFailure.create({ message, type: unexpected, nonRetryable: !neverGiveUp });
}
