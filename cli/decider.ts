import { userInfo } from 'node:os';

import type { Decider } from '../db/audit-log.ts';

/** Who decides at this terminal, for the audit log. */
export function terminalDecider(): Decider {
  return { actor: `cli:${userName()}`, requestId: null };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user need not have a name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
