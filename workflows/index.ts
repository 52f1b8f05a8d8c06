/** The workflows that a worker registers. Names are part of running histories: they never change. */
export { closeDay } from './daily-close.ts';
export { reconcileFleet } from './fleet-reconcile.ts';
export { monitorPlant } from './plant-monitor.ts';
