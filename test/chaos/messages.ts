import type { Checkpoint } from '../../activities/deps.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import type { ChaosFault, ChaosReport, StepPath } from '../support/chaos-plan.ts';
import type { HostileBody } from './hostile.ts';

/** What a chaos run and its workers' processes tell each other. */

/** How a worker begins; goes to its process as JSON in `HELIOGRAPH_CHAOS`. */
export interface WorkerPlan {
  /** The workflows' bundle: a worker that compiles its own starts too late. */
  bundleFile: string;
  vendors: VendorTrouble;
  /** Workflow ids of loops whose steps are told of, one by one. */
  watched: readonly string[];
}

/** What ails the recorded vendors. */
export interface VendorTrouble {
  /** Whatever is asked of this brand waits for its answer. */
  hanging: Brand | null;
  /** The first answer to each poll of this brand takes longer than a local step waits. */
  slow: Brand | null;
  /** Bodies of single plants, by `vendorKey`. */
  hostile: Readonly<Record<string, HostileBody>>;
}

export const noTrouble: VendorTrouble = { hanging: null, slow: null, hostile: {} };

export function vendorKey(brand: Brand, vendorPlantId: string): string {
  return `${brand} ${vendorPlantId}`;
}

export type ToWorker =
  | { kind: 'ARM'; fault: ChaosFault }
  | { kind: 'VENDORS'; vendors: VendorTrouble }
  | { kind: 'STOP' };

export type FromWorker =
  | ChaosReport
  /** A step of a watched loop came to a point. */
  | { kind: 'PASSED'; workflowId: string; name: Checkpoint; atMs: number }
  /** A request to a vendor that hangs has ended; `cut`: it was given up. */
  | {
      kind: 'HELD';
      brand: Brand;
      path: StepPath;
      beganAtMs: number;
      endedAtMs: number;
      cut: boolean;
    }
  /** A vendor's body has reached the prototype of all objects. */
  | { kind: 'POLLUTED' };
