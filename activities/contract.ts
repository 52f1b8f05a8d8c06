/** The activities that workflows of every context call: types only. Instants are integer ms since the epoch. */

/**
 * What the reconciliation changed, for people in Temporal's Web UI: the number of plants, the ids of those whose loop was
 * started, and so on. A list is empty if nothing had to change; a long list is cut.
 */
export type FleetReport = Readonly<Record<string, number | readonly string[]>>;

/** What an automatic check found: the number of findings, and of each kind. */
export interface CheckReport {
  findings: number;
  kinds: Readonly<Record<string, number>>;
}

/** Activities of `queue:fleet`. */
export interface FleetActivities {
  checkPolling(args: { kind: 'VALIDATE' | 'AUDIT'; nowMs: number }): Promise<CheckReport>;
  reconcileFleet(args: { nowMs: number }): Promise<FleetReport>;
}
