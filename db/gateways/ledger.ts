import type { Ledger } from '../ledger/ledger.ts';

/** The ledger of the gateways, as the functions of db/ledger know it. */
export const gatewayLedger: Ledger = {
  subjects: 'gateways',
  subject: 'gateway_id',
  periods: 'gateway_periods',
  rows: 'gateway_readings',
  slot: 'read_at',
  job: null,
  gap: 'ROW_WITH_COUNT',
  parts: { unit: 'day', ahead: 2 },
  kept: 'gateway_readings_kept',
};
