import type { Kysely } from 'kysely';

import { AddedMeanwhile, addPlants } from '../../../db/plants/add-plants.ts';
import type { Database } from '../../../db/tables.ts';
import type { PlantDraft } from '../../../domain/plants/plant-draft.ts';
import type { StatusProfile } from '../../../domain/daylight.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';

/** New plants by command: `addPlants`. @throws CommandError 1 where somebody else added one of them meanwhile. */
export async function addByCommand(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
  options: { intervalS: number; statusProfile: StatusProfile; dryRun?: boolean },
): ReturnType<typeof addPlants> {
  try {
    return await addPlants(db, drafts, options, terminalDecider(), new Date());
  } catch (cause) {
    if (cause instanceof AddedMeanwhile)
      throw new CommandError(cause.message, exitCodes.failed, { cause });
    throw cause;
  }
}

/** What is to be done about accounts that are new; empty where none is. */
export function credentialsHint(newAccounts: readonly string[]): string {
  return newAccounts
    .map(
      (account) =>
        `account ${account} is new: store its credentials with \`heliograph plants credentials ${account}\`\n`,
    )
    .join('');
}
