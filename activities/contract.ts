/** The activities that workflows of every context call: types only. Instants are integer ms since the epoch. */

/**
 * What the reconciliation changed, for people in Temporal's Web UI: the number of plants, the ids of those whose loop was
 * started, and so on. A list is empty if nothing had to change; a long list is cut.
 */
export type FleetReport = Readonly<Record<string, number | readonly string[]>>;

/** Activities of `queue:fleet`. */
export interface FleetActivities {
  reconcileFleet(args: { nowMs: number }): Promise<FleetReport>;
}
