import { findChannelKinds } from '../../db/notifications/channels.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import type { Deps } from '../deps.ts';
import { createLoopReconciler, type Loops, type Reconciler } from '../fleet.ts';

/** The notifications' part in the reconciliation: one loop for each kind of channel that exists. */
export function createNotificationsReconciler(
  deps: Deps,
  loops: Loops<{ id: ChannelKind }>,
): Reconciler {
  const reconcileLoops = createLoopReconciler(
    loops,
    {
      kind: 'notifications',
      async listWanted() {
        const kinds = await findChannelKinds(deps.db);
        return kinds.map((id) => ({ id, changed: false }));
      },
      listSilent: async () => [],
    },
    deps,
  );
  return async (nowMs) => {
    const { wanted, ...changes } = await reconcileLoops(nowMs);
    return { senders: wanted, ...changes };
  };
}
