import type { Ledger, PartitionedTable } from '../ledger/ledger.ts';

/** The ledger of the gateways, as the functions of db/ledger know it. */
export const gatewayLedger: Ledger = {
  subjects: 'gateways',
  subject: 'gateway_id',
  periods: 'gateway_periods',
  rows: 'gateway_readings',
  slot: 'read_at',
  job: null,
  betweenSlots: ['MANUAL', 'PROBE'],
  // walkers hear of a change within a second
  heardWithinMs: 2_000,
  gap: 'ROW_WITH_COUNT',
  parts: { unit: 'day', ahead: 2 },
  kept: 'gateway_readings_kept',
};

/** The roll-ups of 15 minutes: a month of them is dropped at once. */
export const quarterRollups: PartitionedTable = {
  rows: 'gateway_rollups_15min',
  parts: { unit: 'month', ahead: 1 },
};
