import { expect, test } from 'vitest';

import { misbehaviours } from '../../../stack/gateways/behaviour.ts';
import { drawGatewayFaults, gatewayFaultKinds } from './schedule.ts';

const seeds = Array.from({ length: 100 }, (_, n) => String(n));

test('a seed gives the same faults each time, and another one others', () => {
  expect(drawGatewayFaults('7', 5, 200)).toEqual(drawGatewayFaults('7', 5, 200));
  const orders = seeds.map((seed) =>
    drawGatewayFaults(seed, 5, 200)
      .map(({ kind }) => kind)
      .join(),
  );
  expect(new Set(orders).size).toBeGreaterThan(50);
});

test('five minutes hold every kind, one after the other, and end before the run does', () => {
  for (const seed of seeds) {
    const faults = drawGatewayFaults(seed, 5, 200);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(gatewayFaultKinds));
    for (const [n, fault] of faults.entries()) {
      const endsAtS = fault.startsAtS + fault.lastsS;
      expect(endsAtS).toBeLessThan(faults[n + 1]?.startsAtS ?? 5 * 60);
    }
  }
});

test('gateways misbehave in every way, each in its own', () => {
  for (const seed of seeds) {
    for (const { kind, behaviours } of drawGatewayFaults(seed, 5, 200)) {
      const drawn = behaviours.map(({ behaviour }) => behaviour);
      expect(drawn).toEqual(kind === 'GATEWAYS_MISBEHAVE' ? misbehaviours : []);
      expect(new Set(behaviours.map(({ gateway }) => gateway)).size).toBe(behaviours.length);
    }
  }
});
