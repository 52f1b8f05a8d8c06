import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When the line is said again, ms after the time before. A terminal in which plants change their colour scrolls: the link
 * stays near its end for the hour in which it works.
 */
const pausesMs = [20_000, 60_000, 120_000, 300_000, 600_000, 1_200_000];

/**
 * Says the line of the sign-in link again and again until somebody has signed in with it, or it has ended.
 *
 * @param link.isOpen whether the link still works.
 */
export async function repeatLink(
  link: { line: string; isOpen: () => Promise<boolean> },
  say: (line: string) => void,
  stopping: AbortSignal,
  pauses: readonly number[] = pausesMs,
): Promise<void> {
  for (const ms of pauses) {
    const isOver = await sleep(ms, false, { signal: stopping, ref: false }).catch(() => true);
    if (isOver || !(await link.isOpen())) return;
    say(link.line);
  }
}
