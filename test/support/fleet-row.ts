import { type FleetRow, fleetRow } from '../../api/plants/fleet-row.ts';
import type { PlantView } from '../../db/plants/plants.ts';

/** 14:00 of a summer's day at the sample plant. */
export const sampleNowMs = Date.parse('2026-06-11T12:00:00Z');

/** An ordinary plant: GREEN, polled five minutes ago. */
export function samplePlantView(changed: Partial<PlantView> = {}): PlantView {
  return {
    id: 'canal',
    name: 'Canal House',
    customer_id: 'noord',
    brand: 'SOLIS',
    vendor_account_id: 'solis-main',
    vendor_plant_id: '1298491919448631801',
    timezone: 'Europe/Amsterdam',
    latitude: 52.37,
    longitude: 4.9,
    installed_capacity_kw: 10,
    poll_interval_s: 600,
    status_profile: 'STRICT',
    integration_status: 'ACTIVE',
    paused_until: null,
    pause_reason: null,
    alerts_silenced_until: null,
    paused_by: null,
    alerts_silenced_by: null,
    alerts_silence_reason: null,
    activated_at: new Date('2026-01-01T00:00:00Z'),
    status: 'GREEN',
    status_reason: 'SEEN_RECENTLY',
    status_since: new Date('2026-06-01T00:00:00Z'),
    last_seen_at: new Date('2026-06-11T11:50:00Z'),
    last_seen_source: 'VENDOR',
    last_polled_at: new Date('2026-06-11T11:55:00Z'),
    consecutive_failures: 0,
    last_poll: {
      outcome: 'OK',
      errorType: null,
      error: null,
      booked: {
        bookedDate: '2026-06-11',
        todayEnergyKwh: 21.4,
        powerW: 4_112,
        lifetimeEnergyKwh: null,
        sourceTimeMs: Date.parse('2026-06-11T11:50:00Z'),
        seenAtMs: Date.parse('2026-06-11T11:50:00Z'),
        seenSource: 'VENDOR',
      },
      startedAtMs: Date.parse('2026-06-11T11:55:00Z'),
      durationMs: 300,
      attempts: 1,
    },
    last_slot: new Date('2026-06-11T11:55:00Z'),
    revision: 3,
    removed_at: null,
    open_alerts: 0,
    unacknowledged_alerts: 0,
    red_alerts: [],
    low_generation_alert: null,
    other_alerts: [],
    account_refusal: null,
    estimated_lost_kwh: null,
    at_risk_kwh: null,
    stale: false,
    is_night: false,
    failing_since: null,
    incident_id: null,
    incident_since: null,
    incident_brand: null,
    incident_recovering_since: null,
    today_energy_kwh: 21.4,
    has_days: true,
    power_w: 4_112,
    worst_key: [5, 1, 0, changed.id ?? 'canal'],
    ...changed,
  };
}

/** The same as a line of the fleet, at `sampleNowMs`, without days to compare with. */
export function sampleFleetRow(changed: Partial<FleetRow> = {}): FleetRow {
  return { ...fleetRow(samplePlantView(changed), undefined, sampleNowMs), ...changed };
}
