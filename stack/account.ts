import { spawnSync } from 'node:child_process';
import { run, type Account } from './process.ts';
import { StackError } from './stack-error.ts';

/** Users that exist on Linux and macOS without our doing; the first one there is taken. */
const unprivileged = ['postgres', 'nobody', 'daemon'];

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** PostgreSQL refuses to run as root: an unprivileged user of this machine. Null for everybody else: they run it themselves. */
export function unprivilegedAccount(): Account | null {
  if (!isRoot()) return null;
  for (const name of unprivileged) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid !== null && gid !== null && uid !== 0) return { name, uid, gid };
  }
  throw new StackError(
    `PostgreSQL does not run as root, and none of the users ${unprivileged.join(', ')} exists here: run Heliograph as an ordinary user, or set DATABASE_URL.`,
  );
}

function idOf(option: '-u' | '-g', name: string): number | null {
  const asked = spawnSync('id', [option, name], { encoding: 'utf8' });
  return asked.status === 0 ? Number(asked.stdout) : null;
}

/** Whether `account` can reach this folder and write in it: tried, because modes alone do not tell (ACLs, mounts). */
export async function mayEnter(account: Account, folder: string): Promise<boolean> {
  // By its full name: folders of root's PATH may be closed to them.
  const script = 'test -w "$1" && test -x "$1"';
  const { code } = await run('/bin/sh', ['-c', script, 'sh', folder], { account });
  return code === 0;
}
