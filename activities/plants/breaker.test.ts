import { describe, expect, test } from 'vitest';

import { Breaker } from './breaker.ts';

function cut(breaker: Breaker, times: number): void {
  for (let n = 0; n < times; n += 1) breaker.localCut('SOLIS');
}

describe('the breaker of a slow vendor', () => {
  test('stays closed after two cuts in a row and opens at the third, for that brand alone', () => {
    const breaker = new Breaker();
    cut(breaker, 2);
    expect(breaker.isOpen('SOLIS')).toBe(false);
    cut(breaker, 1);
    expect(breaker.isOpen('SOLIS')).toBe(true);
    expect(breaker.isOpen('HUAWEI')).toBe(false);
  });

  test('an answer in time begins the count anew', () => {
    const breaker = new Breaker();
    cut(breaker, 2);
    breaker.localAnswered('SOLIS');
    cut(breaker, 2);
    expect(breaker.isOpen('SOLIS')).toBe(false);
  });

  test('closes by a regular answer within 1 s, inclusive, and not by a slower one', () => {
    const breaker = new Breaker();
    cut(breaker, 3);
    breaker.regularAnswered('SOLIS', 1_001);
    expect(breaker.isOpen('SOLIS')).toBe(true);
    breaker.regularAnswered('SOLIS', 1_000);
    expect(breaker.isOpen('SOLIS')).toBe(false);
    cut(breaker, 2);
    expect(breaker.isOpen('SOLIS')).toBe(false);
  });
});
