import { retryAfterMs as askedRetryAfterMs } from '../retry-after.ts';
import { AdapterError } from './adapter-error.ts';
import type { TransportResponse } from './transport.ts';

/** A header that asks for more than a day is a mistake, and would silence a plant for good. */
const retryAfterMsMax = 86_400_000;

/** How long the vendor asks to be left alone, ms; undefined where it does not say. */
export function retryAfterMs(response: TransportResponse, now: Date): number | undefined {
  const askedMs = askedRetryAfterMs(response.headers['retry-after'], now.getTime());
  return askedMs === undefined ? undefined : Math.min(askedMs, retryAfterMsMax);
}

/**
 * What HTTP 429 and 5xx mean with every vendor; null for any other status.
 *
 * @param what Names the call in the message.
 * @param windowMs How long the vendor is left alone where it does not say.
 */
export function troubleByStatus(
  what: string,
  response: TransportResponse,
  now: Date,
  windowMs: number,
): AdapterError | null {
  const { status } = response;
  if (status === 429) {
    return new AdapterError(
      'RATE_LIMIT_EXCEEDED',
      'ACCOUNT',
      `${what}: HTTP 429, called too often`,
      {
        retryAfterMs: retryAfterMs(response, now) ?? windowMs,
      },
    );
  }
  return status >= 500
    ? new AdapterError('VENDOR_ERROR', 'CLOUD', `${what}: HTTP ${status}`)
    : null;
}
