/**
 * How long a receiver asks to be left alone, ms: the header `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3).
 * undefined where it is absent or neither of the two. The caller sets its own limit.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const untilMs = Date.parse(text);
  return Number.isNaN(untilMs) ? undefined : Math.max(untilMs - nowMs, 0);
}
