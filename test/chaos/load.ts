import { cpuMsOf, machineBusyMs } from '../../bench/processes.ts';

/**
 * What the machine does beside this run. Lateness is the machine's as well as the fleet's: while something else takes its
 * processors, a fleet that stays late has not failed, and one that recovers has done so in spite of it.
 */

export interface LoadReading {
  atMs: number;
  machineMs: number;
  oursMs: number;
}

/** CPU time so far of the machine, and of this process with all that it started. */
export function readLoad(): LoadReading {
  return { atMs: Date.now(), machineMs: machineBusyMs(), oursMs: cpuMsOf(process.pid) };
}

/** How many processors were busy with something else between two readings. */
export function foreignCores(before: LoadReading, after: LoadReading): number {
  const foreignMs = after.machineMs - before.machineMs - (after.oursMs - before.oursMs);
  return Math.max(0, foreignMs / Math.max(1, after.atMs - before.atMs));
}

/** With so many processors busy elsewhere the lateness of a fleet says nothing. The kernel's own work for us is below it. */
export const foreignCoresMax = 0.4;
