import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Owners of leases: `{boot id}/{pid namespace}/{pid}/{process start time}`. Only of a process of this host, since its last
 * start and in this pid namespace, can anybody here say that it has ended: elsewhere a live process looks dead.
 */

/** Whether the owner is proven to have ended. @returns false if nothing proves it. */
export function isOwnerDead(owner: string, proc = '/proc'): boolean {
  const parts = /^(.+)\/(\d+)\/(\d+)$/.exec(owner);
  const [, place = '', pid = '', startedAt = ''] = parts ?? [];
  if (parts === null || !isHere(place, proc)) return false;
  return startTimeOf(pid, proc) !== startedAt;
}

/** Whether boot id and pid namespace are those of this process. */
function isHere(place: string, proc: string): boolean {
  try {
    const bootId = readFileSync(`${proc}/sys/kernel/random/boot_id`, 'utf8').trim();
    const [namespace = ''] = /\d+/.exec(readlinkSync(`${proc}/self/ns/pid`)) ?? [];
    const [placeBoot = '', placeNamespace = ''] = place.split('/');
    return placeBoot === bootId && /\d+/.exec(placeNamespace)?.[0] === namespace;
  } catch {
    // Not Linux: nothing can be proven.
    return false;
  }
}

/** When the process started, in ticks since the boot; null: there is no such process. */
function startTimeOf(pid: string, proc: string): string | null {
  try {
    // The second field is the name in parentheses, which may hold spaces; the start time is the 22nd.
    const stat = readFileSync(`${proc}/${pid}/stat`, 'utf8');
    return (
      stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .at(19) ?? null
    );
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
