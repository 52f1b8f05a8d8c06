/** How others reach the workflows of gateways. */

/** The workflow that has a shard walked. */
export function shardWorkflowId(shard: number): string {
  return `gateways:shard:${shard}`;
}
