/** An error whose message is written for people: it is shown unchanged. */
export class PlainError extends Error {
  override readonly name = 'PlainError';
}
