/** The name of this process, and whether another has ended: the diagnosis asks the same. */
export { isOwnerDead, processOwner } from '../operations/process-owner.ts';
