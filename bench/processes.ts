import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

/** Ends processes, and reads their CPU and memory from /proc: the bench runs on Linux. */

/** USER_HZ of Linux: /proc counts CPU time in hundredths of a second. */
const ticksPerSecond = 100;

interface ProcessStat {
  pid: number;
  parent: number;
  /** User and system time of the process and of its children that have ended. */
  cpuMs: number;
}

function readStat(pid: number): ProcessStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain spaces, so fields count from its end.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    const ticks = fields.slice(11, 15).reduce((sum, value) => sum + value, 0);
    return { pid, parent, cpuMs: (ticks * 1_000) / ticksPerSecond };
  } catch {
    // It ended between two reads.
    return null;
  }
}

/** CPU time of a process with all its descendants, ms; without those of `except`. */
export function cpuMsOf(root: number, except: readonly number[] = []): number {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
  const family = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of stats) {
      if (family.has(parent) && !family.has(pid)) {
        family.add(pid);
        grown = true;
      }
    }
  }
  return stats
    .filter(({ pid }) => family.has(pid) && !except.includes(pid))
    .reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

/** Resident memory of a process, MB. */
export function rssMbOf(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1_024);
}

/** CPU time of the whole machine that was not idle, ms. */
export function machineBusyMs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return ((user + nice + system + irq + softirq) * 1_000) / ticksPerSecond;
}

/** Time limit for a process that is told to end: Docker's default. */
const endMsMax = 10_000;

/** Tells the process to end, kills it after 10 s, and waits until it is gone. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), endMsMax);
  await exited;
  clearTimeout(force);
}
