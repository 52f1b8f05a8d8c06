import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Names a process so that others on its host can tell whether it still runs: by boot, pid namespace, pid and start time. A
 * number alone would name the next process that gets it.
 */

interface Place {
  boot: string;
  namespace: string;
}

/** null where the system has no /proc. */
function placeOfThis(): Place | null {
  try {
    return {
      boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      namespace: /\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))?.[1] ?? '',
    };
  } catch {
    return null;
  }
}

/** When a process started, in the system's ticks; null: there is no such process. A process that has ended and was not waited for counts as ended. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, also spaces and parentheses.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? null : (fields[18] ?? null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
    throw error;
  }
}

/** The name of this process: boot id, pid namespace, pid, start time. On systems without /proc a random text. */
export function processOwner(): string {
  const place = placeOfThis();
  const start = place === null ? null : startOf(process.pid);
  if (place === null || start === null) return `${randomUUID()}/0/${process.pid}/0`;
  return `${place.boot}/${place.namespace}/${process.pid}/${start}`;
}

/** Whether the process of an owner has ended for certain: false for processes of other hosts, boots and pid namespaces. */
export function isOwnerDead(owner: string): boolean {
  const [boot, namespace, pid, start] = owner.split('/');
  const place = placeOfThis();
  if (place === null || boot !== place.boot || namespace !== place.namespace) return false;
  return startOf(Number(pid)) !== start;
}
