import { spawnSync } from 'node:child_process';
import type { Account } from './process.ts';
import { StackError } from './stack-error.ts';

/** Users that Linux and macOS have by default; the first that exists is used. */
const unprivileged = ['postgres', 'nobody', 'daemon'];

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** PostgreSQL refuses to run as root: returns an unprivileged user of this machine. Null if this process is not root and runs PostgreSQL itself. */
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
