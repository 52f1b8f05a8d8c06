import type { Afterwards, Scene } from './scene.ts';
import type { PlannedFault } from './schedule.ts';
import {
  breakRedis,
  endPostgresConnections,
  killTemporal,
  restartPostgres,
  takePostgresAway,
} from './server-faults.ts';
import { feedHostileBodies, floodWithSignals, hangVendor, slowVendor } from './vendor-faults.ts';
import { freezeWorker, killWorker, leavePost } from './worker-faults.ts';

/** Makes a fault and mends it. @returns what is to be looked at when the fleet has recovered. */
export function inject(fault: PlannedFault, scene: Scene): Promise<Afterwards | null> {
  switch (fault.kind) {
    case 'WORKER_KILLED_BEFORE_VENDOR':
    case 'WORKER_KILLED_AFTER_ANSWER':
    case 'WORKER_KILLED_AFTER_COMMIT':
      return killWorker(fault, scene);
    case 'WORKER_FROZEN':
      return freezeWorker(fault, scene);
    case 'WORKER_ABSENT':
      return leavePost(fault, scene);
    case 'TEMPORAL_KILLED':
      return killTemporal(fault, scene);
    case 'POSTGRES_RESTARTED':
      return restartPostgres(fault, scene);
    case 'POSTGRES_CONNECTIONS_ENDED':
      return endPostgresConnections(fault, scene);
    case 'POSTGRES_AWAY':
      return takePostgresAway(fault, scene);
    case 'REDIS_KILLED':
    case 'REDIS_FLUSHED':
    case 'REDIS_PAUSED':
    case 'REDIS_READ_ONLY':
      return breakRedis(fault, scene);
    case 'VENDOR_HANGS':
      return hangVendor(fault, scene);
    case 'VENDOR_SLOW':
      return slowVendor(fault, scene);
    case 'SIGNAL_BURST':
      return floodWithSignals(fault, scene);
    case 'HOSTILE_BODIES':
      return feedHostileBodies(fault, scene);
  }
}
