import { expect } from 'vitest';

import { findPlant, type PlantRow } from '../../db/plants/plants.ts';
import { type CommandResult, runTestCommand, type TestTerminal } from './command-line.ts';
import {
  addPlant,
  createTestFleet,
  ordinarySolis,
  type TestFleet,
  type TestPlant,
} from './fleet.ts';

/** Nobody listens there. */
export const awayAddress = '127.0.0.1:9';

/** A fleet of the test's own, worked on by commands. */
export interface CommandFleet {
  fleet: TestFleet;
  run(args: readonly string[], terminal?: TestTerminal): Promise<CommandResult>;
  /** What a command prints with `--json`, which must succeed without a word of complaint. */
  json(args: readonly string[]): Promise<unknown>;
  /** Adds an ordinary plant of SOLIS, another one each time. @returns its id. */
  add(plant?: Partial<TestPlant>): Promise<string>;
  plantOf(id: string): Promise<PlantRow>;
}

export async function createCommandFleet(): Promise<CommandFleet> {
  const fleet = await createTestFleet();
  let added = 0;
  const run = (args: readonly string[], terminal: TestTerminal = {}) =>
    runTestCommand(args, { ...terminal, env: { ...fleet.env, ...terminal.env } });
  return {
    fleet,
    run,
    async json(args) {
      const { code, stdout, stderr } = await run([...args, '--json']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout);
    },
    add(plant = {}) {
      added += 1;
      return addPlant(fleet.db, fleet.config, { vendorPlantId: ordinarySolis(added), ...plant });
    },
    async plantOf(id) {
      const plant = await findPlant(fleet.db, id);
      if (plant === undefined) throw new Error(`there is no plant ${id}`);
      return plant;
    },
  };
}
