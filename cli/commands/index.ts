import type { Command } from '../command.ts';
import { migrate } from './migrate.ts';
import { seed } from './seed.ts';
import { start } from './start.ts';
import { worker } from './worker.ts';

/** Every command, in the order of the overview. */
export const commands: readonly Command[] = [start, worker, migrate, seed];
