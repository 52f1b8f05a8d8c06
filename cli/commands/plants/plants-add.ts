import { listPlants } from '../../../db/plants/plants.ts';
import type { PlantDraft, PlantField } from '../../../domain/plants/plant-draft.ts';
import { addNewPlants } from '../../../operations/plants/actions.ts';
import { type Command, type CommandContext, textFlag, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { flagName, plantFieldNames, readPlantDraft } from '../../plant-fields.ts';
import { plantJson } from '../../../operations/plants/plant-view.ts';
import { writeJson } from '../../render.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { orFail, problemSentences } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { startLoopsNow, temporalAwayNote } from './tell-loops.ts';

/** `heliograph plants add`: one new plant, and its account where that is new. */
export const plantsAdd: Command = {
  name: 'plants add',
  usage: `--id ID --name NAME --brand B --account A --vendor-plant-id V --timezone ZONE
       [--customer C] [--latitude N --longitude N] [--capacity-kw N] [--interval SECONDS]
       [--status ACTIVE|PENDING_DOCS] [--status-profile STRICT|DAYLIGHT] [--json]`,
  options: Object.fromEntries(
    plantFieldNames.map((field) => [flagName(field), { type: 'string' as const }]),
  ),
  async run(context) {
    const draft = readDraft(context);
    const config = context.config();
    const db = await connectDatabase(config);
    try {
      const options = {
        intervalS: config.POLL_INTERVAL_SECONDS,
        statusProfile: config.DEFAULT_STATUS_PROFILE,
      };
      const added = orFail(plantsAdd, await addNewPlants(terminalAct(db), [draft], options));
      const [plant] = await listPlants(db, { ids: [draft.id] });
      if (context.json)
        writeJson(context.io, plant === undefined ? null : plantJson(plant, Date.now()));
      else
        context.io.stdout.write(
          `added ${draft.id}: ${added.plants[0]?.integration_status ?? ''}, every ${added.plants[0]?.poll_interval_s ?? 0} s\n`,
        );
      context.io.stderr.write(credentialsHint(added.newAccounts));
    } finally {
      await db.destroy();
    }
    if (!(await startLoopsNow(config))) context.io.stderr.write(temporalAwayNote);
    return exitCodes.done;
  },
};

function readDraft(context: CommandContext): PlantDraft {
  const [surplus] = context.positionals;
  if (surplus !== undefined)
    throw usageError(plantsAdd, `every value has its flag, and ${surplus} has none`);
  const texts: Partial<Record<PlantField, string>> = {};
  for (const field of plantFieldNames) {
    const text = textFlag(context, flagName(field));
    if (text !== undefined) texts[field] = text;
  }
  const { draft, problems } = readPlantDraft(texts);
  if (draft === null) throw usageError(plantsAdd, problemSentences(problems));
  return draft;
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
