import { setTimeout as sleep } from 'node:timers/promises';

import { setDemoOutage } from '../../../db/plants/demo-outages.ts';
import { listPlants } from '../../../db/plants/plants.ts';
import { type Brand, brandName } from '../../../domain/plants/plant.ts';
import { counted } from '../../../domain/wording.ts';
import { requireMockMode } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { outagesReadEveryMs } from '../../../activities/plants/demo-outages.ts';
import { durationMs, noPositionals, readFlag, requireFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { tellLoopsOf, toldNote } from '../../commands/plants/tell-loops.ts';
import { FieldProblem, plantFields } from '../../plant-fields.ts';
import { print, visibleText } from '../../render.ts';

const lastsMsDefault = 3 * 60_000;
const lastsMsMax = 3_600_000;

/** `heliograph demo break`: a recorded vendor answers 503 for a while, and all its plants are polled at once. */
export const demoBreak: Command = {
  name: 'demo break',
  usage: '--brand B [--for 3m | --off] [--json]',
  flags: ['brand', 'for'],
  switches: ['off'],
  async run(context) {
    noPositionals(context, 'name the vendor by --brand');
    const brand = requireFlag(context, 'brand', plantFields.brand);
    const until = readEnd(context);
    const config = context.config();
    requireMockMode(config);
    const plants = await withDatabase(config, async (db) => {
      await setDemoOutage(db, brand, until);
      return listPlants(db, { brand });
    });
    const active = plants.filter((plant) => plant.integration_status === 'ACTIVE');
    const ids = active.map((plant) => plant.id);
    // After this time every worker knows of the outage.
    await sleep(2 * outagesReadEveryMs);
    const told = await tellLoopsOf(config, ids, { pollNow: true });
    print(context, { brand, until, plants: ids.length }, () => words(brand, until, ids.length));
    context.io.stderr.write(toldNote(told));
  },
};

/** The end of the outage; null for `--off`. */
function readEnd(context: CommandContext): Date | null {
  const lastsMs = readFlag(context, 'for', readDuration);
  if (!context.switches.has('off')) return new Date(Date.now() + (lastsMs ?? lastsMsDefault));
  if (lastsMs !== undefined) throw usageError(context, 'say either --for or --off');
  return null;
}

function readDuration(text: string): number {
  const lastsMs = durationMs(text);
  if (lastsMs === null || lastsMs > lastsMsMax)
    throw new FieldProblem(`must be a time up to 1h, such as 90s or 3m, not ${visibleText(text)}`);
  return lastsMs;
}

function words(brand: Brand, until: Date | null, plants: number): string {
  if (until === null)
    return `${brandName(brand)} answers again; its ${counted(plants, 'plant')} are polled\n`;
  return `${brandName(brand)} answers 503 until ${until.toISOString()}, and its ${counted(plants, 'plant')} are polled now.
An incident opens in about a minute: see \`heliograph plants list\` and the fleet's page. It closes one interval after ${brandName(brand)} answers again.
`;
}
