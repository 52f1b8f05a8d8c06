import { setTimeout as delay } from 'node:timers/promises';

import type { Brand } from '../../domain/plants/plant.ts';
import type { ChaosPlant } from './draw-fleet.ts';
import type { Lateness } from './lateness.ts';
import type { PlannedFault } from './schedule.ts';
import type { Stage } from './stage.ts';

/** What a fault plays in, and where it tells what it found. */
export interface Scene {
  stage: Stage;
  signal: AbortSignal;
  /** The brands of the fault's worker; all of them where it has none. */
  served: readonly Brand[];
  /** How punctual these plants were before anything happened. */
  baselineOf(plants: readonly ChaosPlant[]): Promise<Lateness>;
  /** Something is not as it must be: one sentence. */
  problem(sentence: string): void;
  /** A figure for the report. */
  note(name: string, value: number | string): void;
}

/** What is to be looked at when the fleet has recovered. */
export type Afterwards = () => Promise<void>;

/** Makes a fault, and mends it: resolves when it is mended. */
export type Injector<F extends PlannedFault = PlannedFault> = (
  fault: F,
  scene: Scene,
) => Promise<Afterwards | null>;

export type FaultOf<Kind extends PlannedFault['kind']> = Extract<PlannedFault, { kind: Kind }>;

const lookPauseMs = 200;

/** Waits until `look` gives something; null where it never does. */
export async function within<Result>(
  limitMs: number,
  signal: AbortSignal,
  look: () => Promise<Result | null | undefined | false>,
): Promise<Result | null> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const result = await look();
    if (result !== null && result !== undefined && result !== false) return result;
    if (performance.now() > endsAt) return null;
    await delay(lookPauseMs, undefined, { signal });
  }
}

export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await delay(seconds * 1_000, undefined, { signal });
}
