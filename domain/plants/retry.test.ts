import { describe, expect, test } from 'vitest';
import type { AdapterErrorType } from './plant.ts';
import { adapterErrorTypes } from './plant.ts';
import { afterAttempt } from './retry.ts';

const done = { next: 'DONE' };

describe('afterAttempt', () => {
  test.each(['NETWORK_TIMEOUT', 'VENDOR_ERROR', 'UNKNOWN'] satisfies AdapterErrorType[])(
    'repeats %s once, 5 s later',
    (type) => {
      expect(afterAttempt({ type }, 1)).toEqual({ next: 'RETRY', waitMs: 5_000 });
    },
  );

  test.each(['AUTH_FAILED', 'PLANT_NOT_FOUND', 'INVALID_DATA_FORMAT'] satisfies AdapterErrorType[])(
    'never repeats %s',
    (type) => {
      expect(afterAttempt({ type, retryAfterMs: 1_000 }, 1)).toEqual(done);
    },
  );

  test.each(adapterErrorTypes)('makes no third attempt after %s', (type) => {
    expect(afterAttempt({ type, retryAfterMs: 10_000 }, 2)).toEqual(done);
  });

  test('waits out a rate limit of exactly 60 s and leaves a longer one to the next slot', () => {
    const type = 'RATE_LIMIT_EXCEEDED';
    expect(afterAttempt({ type, retryAfterMs: 60_000 }, 1)).toEqual({
      next: 'RETRY',
      waitMs: 60_000,
    });
    expect(afterAttempt({ type, retryAfterMs: 60_001 }, 1)).toEqual(done);
  });

  test('leaves a rate limit without a usable end to the next slot', () => {
    expect(afterAttempt({ type: 'RATE_LIMIT_EXCEEDED' }, 1)).toEqual(done);
    expect(afterAttempt({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs: NaN }, 1)).toEqual(done);
  });

  test('asks no sooner than 5 s after a rate limit, and waits whole milliseconds', () => {
    const type = 'RATE_LIMIT_EXCEEDED';
    expect(afterAttempt({ type, retryAfterMs: 0 }, 1)).toEqual({ next: 'RETRY', waitMs: 5_000 });
    expect(afterAttempt({ type, retryAfterMs: 7_000.2 }, 1)).toEqual({
      next: 'RETRY',
      waitMs: 7_001,
    });
  });
});
