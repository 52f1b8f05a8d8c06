import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { allPlants } from '../../../db/scope.ts';
import type { Act, Decided } from '../../../operations/plants/actions.ts';
import type { GatewayAct, GatewaysDecided } from '../../../operations/gateways/actions.ts';
import type { PollingAct } from '../../../operations/polling.ts';
import type { CommandContext } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print, visibleText } from '../../render.ts';
import { refusalSentence as gatewayRefusal } from '../gateways/refusals.ts';
import { refusalSentence } from '../plants/refusals.ts';
import { tellLoopsOf, toldNote } from '../plants/tell-loops.ts';
import type { PollingTargets } from './polling-targets.ts';

/** Carries out `polling start` and `polling stop` for named gateways and plants, and says what was done. */

interface Decision {
  /** What it does: "stopped". */
  done: string;
  /** What a gateway is that was so already: "was stopped already". */
  already: string;
  gateways: (act: GatewayAct, ids: readonly string[]) => Promise<GatewaysDecided>;
  plants: (act: Act, ids: readonly string[]) => Promise<Decided>;
}

export function terminalAct(db: PollingAct['db']): Act {
  return { db, by: terminalDecider(), at: new Date(), scope: allPlants };
}

/** @returns the exit code: 1 if something that was named was not done. */
export async function decideForTargets(
  context: CommandContext,
  { gatewayIds, plantIds }: PollingTargets,
  { done, already, gateways, plants }: Decision,
): Promise<number> {
  const config = context.config();
  const decided = await withDatabase(config, async (db) => {
    const act = terminalAct(db);
    const none = { gatewayIds: [], unchangedIds: [], refused: [] };
    return {
      gateways: gatewayIds.length === 0 ? none : await gateways(act, gatewayIds),
      plants: plantIds.length === 0 ? { plantIds: [], refused: [] } : await plants(act, plantIds),
    };
  });
  const told = await tellLoopsOf(config, decided.plants.plantIds);
  const problems = [
    ...decided.gateways.refused.map(gatewayRefusal),
    ...decided.plants.refused.map(refusalSentence),
  ];
  const json = {
    [done]: { gateways: decided.gateways.gatewayIds, plants: decided.plants.plantIds },
    unchanged: { gateways: decided.gateways.unchangedIds },
    problems,
  };
  print(context, json, () =>
    [
      ...decided.gateways.gatewayIds.map((id) => `gateway ${id} ${done}\n`),
      ...decided.gateways.unchangedIds.map((id) => `gateway ${id} ${already}\n`),
      ...decided.plants.plantIds.map((id) => `plant ${id} ${done}\n`),
      toldNote(told),
    ].join(''),
  );
  if (problems.length === 0) return exitCodes.done;
  if (context.json) return exitCodes.failed;
  throw new CommandError(problems.map(visibleText).join('\n'), exitCodes.failed);
}
