import { listPlants } from '../../../db/plants/plants.ts';
import type { PlantDraft, PlantField } from '../../../domain/plants/plant-draft.ts';
import { addNewPlants } from '../../../operations/plants/actions.ts';
import { withDatabase } from '../../../environment/services.ts';
import { plantJson, settingWarnings } from '../../../operations/plants/plant-view.ts';
import { noPositionals } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { flagName, plantFieldNames, readPlantDraft } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { orFail, problemSentences } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { startLoopsNow, temporalAwayNote } from './tell-loops.ts';
import { printWarnings, warningLines } from './warnings.ts';

/** `heliograph plants add`: adds one plant, and its account if that is new. */
export const plantsAdd: Command = {
  name: 'plants add',
  usage: `--id ID --name NAME --brand B --account A --vendor-plant-id V --timezone ZONE
       [--customer C] [--latitude N --longitude N] [--capacity-kw N] [--interval SECONDS]
       [--status ACTIVE|PENDING_DOCS] [--status-profile STRICT|DAYLIGHT] [--json]`,
  flags: plantFieldNames.map(flagName),
  async run(context) {
    const draft = readDraft(context);
    const config = context.config();
    const { added, plant } = await withDatabase(config, async (db) => {
      const options = {
        intervalS: config.POLL_INTERVAL_SECONDS,
        statusProfile: config.DEFAULT_STATUS_PROFILE,
      };
      const result = orFail(context, await addNewPlants(terminalAct(db), [draft], options));
      const [view] = await listPlants(db, { ids: [draft.id] });
      return { added: result, plant: view };
    });
    const [row] = added.plants;
    const warnings = plant === undefined ? [] : settingWarnings(plant);
    print(
      context,
      plant === undefined ? null : { ...plantJson(plant, Date.now()), warnings },
      () =>
        `added ${draft.id}: ${row?.integration_status ?? ''}, every ${row?.poll_interval_s ?? 0} s\n`,
    );
    printWarnings(context, warningLines(warnings));
    context.io.stderr.write(credentialsHint(added.newAccounts));
    if (!(await startLoopsNow(config))) context.io.stderr.write(temporalAwayNote);
  },
};

function readDraft(context: CommandContext): PlantDraft {
  noPositionals(context, `every value has its flag: ${context.positionals.join(' ')} has none`);
  const texts: Partial<Record<PlantField, string>> = {};
  for (const field of plantFieldNames) {
    const text = context.flags[flagName(field)];
    if (text !== undefined) texts[field] = text;
  }
  const { draft, problems } = readPlantDraft(texts);
  if (draft === null) throw usageError(context, problemSentences(problems));
  return draft;
}

/** What to do about new accounts; empty without one. */
export function credentialsHint(newAccounts: readonly string[]): string {
  return newAccounts
    .map(
      (account) =>
        `account ${account} is new: store its credentials with \`heliograph plants credentials ${account}\`\n`,
    )
    .join('');
}
