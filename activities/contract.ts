/** What workflows may wish for that serve every context: types only. Instants are integer ms since the epoch. */

/**
 * What the reconciliation changed, as people read it in Temporal's Web UI: how many plants there are, the ids of those whose
 * loop was started, and so on. A list is empty where nothing had to change, and names the first where much had to.
 */
export type FleetReport = Readonly<Record<string, number | readonly string[]>>;

/** Activities of `queue:fleet`. */
export interface FleetActivities {
  reconcileFleet(args: { nowMs: number }): Promise<FleetReport>;
}
