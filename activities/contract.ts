/** What workflows may wish for that serve every context: types only. Instants are integer ms since the epoch. */

/** What the reconciliation changed; empty lists when the fleet was right already. */
export interface FleetReport {
  plants: number;
  started: string[];
  ended: string[];
  signalled: string[];
  /** Plants whose loop was stuck, or not there while their number was right, and is another one now. */
  restarted: string[];
  resumed: string[];
  reminded: number;
  partitions: string[];
  /** Incidents of brands that were opened or closed; `ALL` is our side. */
  incidentsOpened: string[];
  incidentsClosed: string[];
  /** Alerts whose cost was estimated anew. */
  estimated: number;
}

/** Activities of `queue:fleet`. */
export interface FleetActivities {
  reconcileFleet(args: { nowMs: number }): Promise<FleetReport>;
}
