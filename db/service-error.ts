/** Tells an outage of our own services from an error of our code. */

/**
 * SQLSTATE classes of errors that pass by themselves: connection, transaction rollback, resources, operator intervention,
 * system error.
 */
const passingSqlClasses: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58']);
/** lock_not_available, the only code of its class that passes by itself. */
const passingSqlCodes: ReadonlySet<string> = new Set(['55P03']);
const connectionCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENOENT',
]);
/** pg's messages, without a code, about a lost connection or a pool that had no free one in time. */
const connectionMessages =
  /connection terminated|connection timeout|timeout exceeded when trying to connect|client has encountered a connection error|server closed the connection|query read timeout|driver has already been destroyed/i;

/** Whether the error says that one of our own services is away or busy, so that trying again can help. */
export function isServiceError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code !== null) {
    if (connectionCodes.has(code)) return true;
    if (/^[0-9A-Z]{5}$/.test(code))
      return passingSqlClasses.has(code.slice(0, 2)) || passingSqlCodes.has(code);
  }
  if (connectionMessages.test(error.message)) return true;
  return error instanceof AggregateError
    ? error.errors.some(isServiceError)
    : isServiceError(error.cause);
}

/** The code of an error, such as an SQLSTATE or ECONNREFUSED; null without one. */
export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : null;
}
