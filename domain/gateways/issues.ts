/** What the diagnosis calls what is wrong with a gateway: one word each, the same in every answer. */

/** Words of the diagnosis itself. */
export type IssueWord =
  /** It is to be polled, and nobody polls it. */
  | 'missing_polling'
  /** It was polled, and its newest slots have no row. */
  | 'overdue_polling'
  /** It is polled at another interval than its row says. */
  | 'interval_mismatch'
  /** It is polled although it is not due. */
  | 'unwanted_polling'
  /** A lock or a lease belongs to nobody who lives. */
  | 'orphaned_lock'
  /** A walker holds a shard and does not get on. */
  | 'stuck_activity'
  | 'worker_absent'
  /** The requests of a socket do not fit into the intervals of its gateways. */
  | 'budget_exceeded'
  | 'address_invalid'
  /** Another program polls the device. */
  | 'another_master';

const known: Readonly<Record<string, IssueWord>> = {
  ADDRESS_REFUSED: 'address_invalid',
  NAME_NOT_FOUND: 'address_invalid',
  ANOTHER_MASTER: 'another_master',
};

/**
 * The word for why a gateway fails.
 *
 * @param reason as in `FailureReason`; null: the status says no reason.
 * @example issueOfReason('NAME_NOT_FOUND') === 'address_invalid'; issueOfReason('TIMEOUT') === 'timeout'
 */
export function issueOfReason(reason: string | null): string {
  if (reason === null) return 'failing';
  return known[reason] ?? reason.toLowerCase();
}
