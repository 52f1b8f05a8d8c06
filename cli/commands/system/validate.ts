import { type Client, ServiceError } from '@temporalio/client';

import { type Command, usageError } from '../../command.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { indented } from '../../table.ts';
import { connectTemporal, temporalAway } from '../../../environment/temporal.ts';
import {
  type FindingKind,
  validate as runValidation,
  type Validation,
} from '../../../operations/plants/validate.ts';

/** `heliograph validate`: checks that every ACTIVE plant is watched now. */
export const validate: Command = {
  name: 'validate',
  usage: '[--json]',
  options: {},
  async run(context) {
    if (context.positionals.length > 0)
      throw usageError(validate, 'the command checks the whole fleet: name no plant');
    const validation = await runOnServices(context.config());
    if (context.json) writeJson(context.io, validation);
    else context.io.stdout.write(validationText(validation));
    return validation.findings.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

async function runOnServices(config: Config): Promise<Validation> {
  const db = await connectDatabase(config);
  let client: Client | null = null;
  try {
    client = await connectTemporal(config);
    return await runValidation({ db, client });
  } catch (error) {
    throw error instanceof ServiceError ? temporalAway(config, error) : error;
  } finally {
    await Promise.allSettled([client?.connection.close(), db.destroy()]);
  }
}

/** The remedy for each finding. */
const whatToDo: Readonly<Record<FindingKind, string>> = {
  QUEUE_WITHOUT_WORKER:
    'start a worker for it (`heliograph worker`, with WORKER_QUEUES empty or naming it); a worker that was killed is still listed for a minute.',
  LOOP_MISSING:
    'a running worker starts it within a minute; `heliograph audit --fix` starts it now.',
  NOT_PLANNED:
    "see the loop's newest events in the Temporal Web UI; `heliograph audit --fix` makes it look again.",
  SLOT_OVERDUE:
    'the explanation follows it; without one, see the loop in the Temporal Web UI and the log of its worker.',
};

/** Number of findings of a kind that the text lists; `--json` has all. */
const listedMax = 20;

export function validationText(validation: Validation): string {
  const { plants, active, with_loop: withLoop, on_time: onTime, findings } = validation;
  const counts = `${counted(plants, 'plant')}, ${active} ACTIVE: ${withLoop} with a loop, ${onTime} without an overdue slot\n`;
  if (findings.length === 0) return `${counts}nothing is found\n`;
  const sections = [...Map.groupBy(findings, (finding) => finding.kind)].map(([kind, ofKind]) => {
    const lines = ofKind.slice(0, listedMax).map(({ plant_id: plantId, at, sentence }) => {
      const where = [plantId, at].filter((part) => part !== null).join(' ');
      return `${visibleText(where === '' ? sentence : `${where}: ${sentence}`)}\n`;
    });
    const more = ofKind.length > listedMax ? `… and ${ofKind.length - listedMax} more\n` : '';
    return `\n${kind}\n${indented(`${lines.join('')}${more}→ ${whatToDo[kind]}\n`)}`;
  });
  return `${counts}${counted(findings.length, 'finding')}\n${sections.join('')}`;
}
