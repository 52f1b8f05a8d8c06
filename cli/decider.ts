import { userInfo } from 'node:os';

import type { Decider } from '../db/audit-log.ts';

/** The person at this terminal, for the audit log. */
export function terminalDecider(): Decider {
  return { actor: `cli:${userName()}`, requestId: null };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
