import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

import { codeOf, isServiceError } from '../db/service-error.ts';
import { PlainError } from '../domain/plain-error.ts';

/**
 * The one table of errors that leave an activity. Vendor errors are not here: they are values. The message of an unexpected
 * error has only its class, SQLSTATE and constraint, never its text, which may quote a row or a header.
 */

/** One of our own services is away or busy: Temporal tries again without an end, after 1 s to 30 s. */
export const serviceUnavailable = 'SERVICE_UNAVAILABLE';
/** The local path is closed for this call: the step runs as a regular activity. */
export const takeRegular = 'TAKE_REGULAR';
/** A bug, a constraint, a missing key: ends the poll FAILED/UNKNOWN with its row. */
export const unexpected = 'UNEXPECTED';

/** The class and codes of an error, without its text. */
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
 * The error as Temporal needs it.
 *
 * @param attempting what was being done, for people: "writing the poll log".
 * @param neverGiveUp Temporal retries after every error, as for activities that write the ledger.
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
