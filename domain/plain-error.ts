/** An error of ours whose message was written to be read: it goes out as it stands. */
export class PlainError extends Error {
  override readonly name = 'PlainError';
}
