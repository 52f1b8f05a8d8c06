/** The workflows that a worker registers. Names are part of running histories: they never change. */
export { closeDay } from './plants/daily-close.ts';
export { checkPolling } from './check-polling.ts';
export { reconcileFleet } from './fleet-reconcile.ts';
export { sendNotifications } from './notifications/send-notifications.ts';
export { monitorPlant } from './plants/plant-monitor.ts';
export { walkGatewayShard } from './gateways/walk-shard.ts';
