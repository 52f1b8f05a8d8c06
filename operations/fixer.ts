import type { Client } from '@temporalio/client';

import type { LockKind, Locks } from '../db/lock.ts';
import type { Services } from './diagnosis.ts';

/** What repairs are made of: the parts of all contexts have this shape. */

/** Something that is wrong and can be mended; `sentence` says what will be done: "start the loop poll:plant:…". */
export interface AnyRepair {
  kind: string;
  sentence: string;
}

export interface FixServices extends Services {
  locks: Readonly<Record<LockKind, Pick<Locks, 'list' | 'remove'>>>;
  temporal: Client;
}

/** Plans repairs of one kind of thing, and makes them. Planning changes nothing. */
export interface Fixer<Repair extends AnyRepair> {
  plan(services: FixServices): Promise<Repair[]>;
  /** Makes the repair if it is still needed. @returns whether it was. */
  make(repair: Repair, services: FixServices): Promise<boolean>;
}
