import type { Command } from '../command.ts';

/** A command before its file is loaded: nobody who lists plants waits for the worker's modules. */
export interface CommandEntry {
  name: string;
  /** One line for the overview. */
  summary: string;
  load(): Promise<Command>;
}

/** Every command, in the order of the overview. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'start',
    summary: 'bring up PostgreSQL, Redis and Temporal, the demo plants and the workers',
    load: async () => (await import('./start.ts')).start,
  },
  {
    name: 'worker',
    summary: 'run the workers: all queues, or those in WORKER_QUEUES',
    load: async () => (await import('./worker.ts')).worker,
  },
  {
    name: 'migrate',
    summary: 'bring the database to the newest schema',
    load: async () => (await import('./migrate.ts')).migrate,
  },
  {
    name: 'seed',
    summary: "make the demo's twelve plants with their past, once, and generated ones",
    load: async () => (await import('./seed.ts')).seed,
  },
];
