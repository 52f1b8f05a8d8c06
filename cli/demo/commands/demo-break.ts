import { setTimeout as sleep } from 'node:timers/promises';

import { setDemoOutage } from '../../../db/plants/demo-outages.ts';
import { listPlants } from '../../../db/plants/plants.ts';
import { type Brand, brandName } from '../../../domain/plants/plant.ts';
import { counted } from '../../../domain/wording.ts';
import {
  CommandError,
  exitCodes,
  readStackFile,
  requireMockMode,
} from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { type Behaviour, misbehaviours } from '../../../stack/gateways/behaviour.ts';
import { orderBreak, orderMend } from '../../../stack/gateways/control.ts';
import { outagesReadEveryMs } from '../../../activities/plants/demo-outages.ts';
import { durationMs, noPositionals, readFlag, requireFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { tellLoopsOf, toldNote } from '../../commands/plants/tell-loops.ts';
import { FieldProblem, plantFields } from '../../plant-fields.ts';
import { print, visibleText } from '../../render.ts';

const lastsMsDefault = 3 * 60_000;
const lastsMsMax = 3_600_000;

/** What a simulated gateway does unless told otherwise. */
const behaviourDefault: Behaviour = 'SILENT';
/** `--behaviour` takes the words in lower case with hyphens. */
const behaviourWord = (behaviour: Behaviour) => behaviour.toLowerCase().replaceAll('_', '-');

/**
 * `heliograph demo break`: a recorded vendor answers 503 for a while, and all its plants are polled at once; or a simulated
 * gateway misbehaves.
 */
export const demoBreak: Command = {
  name: 'demo break',
  usage: '(--brand B | --gateway ID [--behaviour WORD]) [--for 3m | --off] [--json]',
  flags: ['brand', 'gateway', 'behaviour', 'for'],
  switches: ['off'],
  async run(context) {
    noPositionals(context, 'name the vendor by --brand, or the gateway by --gateway');
    if (context.flags['gateway'] !== undefined) return breakGateway(context);
    if (context.flags['behaviour'] !== undefined)
      throw usageError(context, '--behaviour is for a gateway: say --gateway too');
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

/** Tells the simulated gateways of `npm start`. */
async function breakGateway(context: CommandContext): Promise<void> {
  const id = context.flags['gateway'] ?? '';
  if (context.flags['brand'] !== undefined)
    throw usageError(context, 'say either --brand or --gateway');
  const behaviour = readFlag(context, 'behaviour', readBehaviour) ?? behaviourDefault;
  const until = readEnd(context);
  const url = readStackFile(context.dataDir)?.gateway_control_url ?? null;
  if (url === null)
    throw new CommandError(
      'the simulated gateways do not run: `npm start` brings them',
      exitCodes.serviceAway,
    );
  try {
    if (until === null) await orderMend(url, id);
    else await orderBreak(url, id, { behaviour, forMs: until.getTime() - Date.now() });
  } catch (error) {
    throw new CommandError((error as Error).message, exitCodes.failed, { cause: error });
  }
  print(context, { gateway: id, behaviour: until === null ? null : behaviour, until }, () =>
    gatewayWords(id, until, behaviour),
  );
}

const readBehaviour = (text: string): Behaviour => {
  const behaviour = misbehaviours.find((one) => behaviourWord(one) === text);
  if (behaviour === undefined)
    throw new FieldProblem(
      `must be one of ${misbehaviours.map(behaviourWord).join(', ')}, not ${visibleText(text)}`,
    );
  return behaviour;
};

function gatewayWords(id: string, until: Date | null, behaviour: Behaviour): string {
  if (until === null) return `${id} behaves as before\n`;
  return `${id} misbehaves (${behaviourWord(behaviour)}) until ${until.toISOString()}.
See \`heliograph gateways list\` and the gateway's page: its reason comes with the next poll.
`;
}

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
