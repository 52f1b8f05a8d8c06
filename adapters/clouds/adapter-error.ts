import type { AdapterErrorType, FailureScope } from '../../domain/plants/plant.ts';

interface AdapterErrorOptions {
  /** False where the scope is our conclusion and not the vendor's word. Default true. */
  certain?: boolean;
  /** With RATE_LIMIT_EXCEEDED. */
  retryAfterMs?: number;
  sessionExpired?: boolean;
  cause?: unknown;
}

/** A vendor's failure with its type and scope; `message` is one sentence without secrets, URLs or vendor bodies. */
export class AdapterError extends Error {
  readonly type: AdapterErrorType;
  /** What the failure is about: see `FailureScope`. README.md says how adapters choose it. */
  readonly scope: FailureScope;
  readonly certain: boolean;
  readonly retryAfterMs: number | undefined;
  /** True when the vendor says that the session is gone: one new login is worth a try. Never leaves the adapter's folder. */
  readonly sessionExpired: boolean;

  constructor(
    type: AdapterErrorType,
    scope: FailureScope,
    message: string,
    options: AdapterErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AdapterError';
    this.type = type;
    this.scope = scope;
    this.certain = options.certain ?? true;
    this.retryAfterMs = options.retryAfterMs;
    this.sessionExpired = options.sessionExpired ?? false;
  }
}

/** A refusal of the vendor by its code: type, scope, and words of ours. */
export type Refusal = readonly [type: AdapterErrorType, scope: FailureScope, words: string];

/** The vendor's answer does not have the form that is known. */
export function invalidFormat(message: string): AdapterError {
  return new AdapterError('INVALID_DATA_FORMAT', 'CLOUD', message);
}

/** An energy that cannot be true. It refuses the whole answer, whichever part it stands in. */
export class ImpossibleEnergy extends AdapterError {
  constructor(message: string) {
    super('INVALID_DATA_FORMAT', 'PLANT', message);
  }
}

/** The vendor refuses a request that we made wrongly: nobody but us can mend it. */
export function badRequest(message: string): AdapterError {
  return new AdapterError('UNKNOWN', 'REQUEST', message);
}

/** Our own refusal: with these credentials no request can be made. The vendor was not asked. */
export class UnusableCredentials extends AdapterError {
  constructor(message: string) {
    super('AUTH_FAILED', 'ACCOUNT', message);
  }
}
