/** An error whose message is written for people: it is shown unchanged. */
export class PlainError extends Error {
  override readonly name = 'PlainError';
}

/** The message of an error's innermost cause: one sentence, for a row of the ledger. */
export function innermostMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return error.cause instanceof Error ? innermostMessage(error.cause) : error.message;
}
