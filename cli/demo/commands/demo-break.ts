import { setTimeout as sleep } from 'node:timers/promises';

import { setDemoOutage } from '../../../db/plants/demo-outages.ts';
import { listPlants } from '../../../db/plants/plants.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import { type Command, type CommandContext, textFlag, usageError } from '../../command.ts';
import { exitCodes, requireMockMode } from '../../../environment/config.ts';
import { outagesReadEveryMs } from '../../../activities/plants/demo-outages.ts';
import { plantFields } from '../../plant-fields.ts';
import { writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { readFlag } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tellLoopsOf, toldNote } from '../../commands/plants/tell-loops.ts';

const lastsMsDefault = 3 * 60_000;
const lastsMsMax = 3_600_000;
const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `heliograph demo break`: a recorded vendor answers 503 for a while, and all its plants are polled at once. */
export const demoBreak: Command = {
  name: 'demo break',
  usage: '--brand B [--for 3m | --off] [--json]',
  options: { brand: { type: 'string' }, for: { type: 'string' }, off: { type: 'boolean' } },
  async run(context) {
    const brand = readFlag(context, demoBreak, 'brand', plantFields.brand);
    if (brand === undefined || context.positionals.length > 0)
      throw usageError(demoBreak, 'say whose cloud breaks by --brand');
    const until = readEnd(context);
    const config = context.config();
    // An embedded stack plays recorded vendors and no others.
    if (config.stack === null) requireMockMode(config);
    const db = await connectDatabase(config);
    let ids: string[];
    try {
      await setDemoOutage(db, brand, until);
      const plants = await listPlants(db, { brand });
      ids = plants.filter((one) => one.integration_status === 'ACTIVE').map((one) => one.id);
    } finally {
      await db.destroy();
    }
    // By then every worker that polls knows of it.
    await sleep(2 * outagesReadEveryMs);
    const told = await tellLoopsOf(config, ids, { pollNow: true });
    if (context.json) writeJson(context.io, { brand, until, plants: ids.length });
    else context.io.stdout.write(words(brand, until, ids.length));
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

function readEnd(context: CommandContext): Date | null {
  const text = textFlag(context, 'for');
  const off = context.values['off'] === true;
  if (off && text !== undefined) throw usageError(demoBreak, 'say either --for or --off');
  if (off) return null;
  if (text === undefined) return new Date(Date.now() + lastsMsDefault);
  const [, value, unit] = /^(\d{1,4})([smh])$/.exec(text) ?? [];
  const lastsMs = Number(value) * (unitMs[unit as keyof typeof unitMs] ?? NaN);
  if (!(lastsMs > 0 && lastsMs <= lastsMsMax))
    throw usageError(demoBreak, `--for must be a time up to 1h, such as 90s or 3m, not ${text}`);
  return new Date(Date.now() + lastsMs);
}

function words(brand: Brand, until: Date | null, plants: number): string {
  if (until === null) return `${brand} answers again; its ${counted(plants, 'plant')} are polled\n`;
  return `${brand} answers 503 until ${until.toISOString()}, and its ${counted(plants, 'plant')} are polled now.
An incident opens in about a minute: see \`heliograph plants list\` and the fleet's page. It closes one interval after ${brand} answers again.
`;
}
