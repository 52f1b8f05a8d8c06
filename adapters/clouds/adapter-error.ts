import type { AdapterErrorType } from '../../domain/plants/plant.ts';

/** A vendor's failure with its type; `message` is one sentence without secrets, URLs or vendor bodies. */
export class AdapterError extends Error {
  readonly type: AdapterErrorType;
  readonly retryAfterMs: number | undefined;
  /** True when the vendor says that the session is gone: one new login is worth a try. Never leaves the adapter's folder. */
  readonly sessionExpired: boolean;

  constructor(
    type: AdapterErrorType,
    message: string,
    options: { retryAfterMs?: number; sessionExpired?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AdapterError';
    this.type = type;
    this.retryAfterMs = options.retryAfterMs;
    this.sessionExpired = options.sessionExpired ?? false;
  }
}

/** The vendor's answer does not have the form that is known. */
export function invalidFormat(message: string): AdapterError {
  return new AdapterError('INVALID_DATA_FORMAT', message);
}
