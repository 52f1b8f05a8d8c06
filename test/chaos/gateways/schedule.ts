import { misbehaviours } from '../../../stack/gateways/behaviour.ts';
import type { Behaviour } from '../../../stack/gateways/behaviour.ts';
import { randomOf } from '../../../simulate/random.ts';
import { shuffled } from '../draw-fleet.ts';

/**
 * What happens to gateways and their walkers, drawn from a seed alone. It is played beside the acts of the plants: servers
 * that fail there fail for the walkers too.
 */

export const gatewayFaultKinds = [
  'WALKER_KILLED',
  'WALKER_REPLACED',
  'WALKER_FROZEN',
  'GATEWAYS_MISBEHAVE',
] as const;
export type GatewayFaultKind = (typeof gatewayFaultKinds)[number];

export interface GatewayFault {
  kind: GatewayFaultKind;
  /** From the beginning of the run. */
  startsAtS: number;
  /** From its beginning until it is mended; 0 where it is over at once. */
  lastsS: number;
  /** Which walker; of misbehaving gateways nothing. */
  walker: number;
  /** By the gateways' numbers; empty for faults of walkers. */
  behaviours: readonly { gateway: number; behaviour: Behaviour }[];
}

/** Walkers that share the shards: one takes over what the other leaves. */
export const walkers = 2;

const firstAtS = 5;
/** Longer than a lease, which is what others wait for. */
const frozenS = { min: 6, max: 9 };
/** A few polls of each. */
const misbehavesS = { min: 25, max: 35 };
/** A dead walker's shards are polled by others by then, and its successor has its share. */
const quietS = 20;

/** The faults of a run, in order; they do not overlap one another. */
export function drawGatewayFaults(seed: string, minutes: number, gateways: number): GatewayFault[] {
  const random = randomOf('gateways', seed);
  const faults: GatewayFault[] = [];
  let startsAtS = firstAtS;
  for (;;) {
    for (const kind of shuffled(random.next, gatewayFaultKinds)) {
      const lastsS =
        kind === 'WALKER_FROZEN'
          ? random.int(frozenS.min, frozenS.max)
          : kind === 'GATEWAYS_MISBEHAVE'
            ? random.int(misbehavesS.min, misbehavesS.max)
            : 0;
      if (startsAtS + lastsS + quietS > minutes * 60) return faults;
      const targets = shuffled(
        random.next,
        Array.from({ length: gateways }, (_, n) => n),
      );
      faults.push({
        kind,
        startsAtS,
        lastsS,
        walker: random.int(0, walkers - 1),
        behaviours:
          kind === 'GATEWAYS_MISBEHAVE'
            ? misbehaviours.flatMap((behaviour, n) => {
                const gateway = targets[n];
                return gateway === undefined ? [] : [{ gateway, behaviour }];
              })
            : [],
      });
      startsAtS += lastsS + quietS;
    }
  }
}
