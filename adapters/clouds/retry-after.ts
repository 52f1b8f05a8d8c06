import type { TransportResponse } from './transport.ts';

/** Longer than a day no vendor means; a header that says so is a mistake, and would silence a plant for good. */
const retryAfterMsMax = 86_400_000;

/**
 * How long the vendor asks to be left alone, ms: `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3).
 * undefined where the header is absent or neither of the two.
 */
export function retryAfterMs(response: TransportResponse, now: Date): number | undefined {
  const text = response.headers['retry-after']?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, retryAfterMsMax);
  const untilMs = Date.parse(text);
  if (Number.isNaN(untilMs)) return undefined;
  return Math.min(Math.max(untilMs - now.getTime(), 0), retryAfterMsMax);
}
