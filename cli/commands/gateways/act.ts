import type { Kysely } from 'kysely';

import { allPlants } from '../../../db/scope.ts';
import type { Database } from '../../../db/tables.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { GatewayAct, GatewaysDecided } from '../../../operations/gateways/actions.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { refusalSentence } from './refusals.ts';

/** The person at this terminal acts on any gateway, now. */
export function gatewayAct(db: Kysely<Database>): GatewayAct {
  return { db, by: terminalDecider(), at: new Date(), scope: allPlants };
}

/**
 * Carries out a decision on the gateways that a command names, and prints what was done.
 *
 * @param done what it does to them: "paused".
 * @returns exit code 1 if one was refused; the others are done.
 */
export async function decideForNamed(
  context: CommandContext,
  done: string,
  decide: (act: GatewayAct, ids: readonly string[]) => Promise<GatewaysDecided>,
): Promise<number | undefined> {
  const ids = [...new Set(context.positionals)];
  if (ids.length === 0) throw usageError(context, 'which gateway? Name it by its ID, or several');
  const { gatewayIds, unchangedIds, refused } = await withDatabase(context.config(), (db) =>
    decide(gatewayAct(db), ids),
  );
  const was = unchangedIds.length === 0 ? '' : `${unchangedIds.join(', ')}: ${done} already\n`;
  const are = gatewayIds.length === 0 ? '' : `${gatewayIds.join(', ')}: ${done}\n`;
  print(
    context,
    {
      gateway_ids: gatewayIds,
      unchanged_ids: unchangedIds,
      errors: refused.map((one) => refusalSentence(one)),
    },
    () => are + was,
  );
  for (const one of refused) context.io.stderr.write(`heliograph: ${refusalSentence(one)}\n`);
  if (refused.length === 0) return undefined;
  if (refused.length > 1)
    context.io.stderr.write(`heliograph: ${counted(refused.length, 'gateway')} not ${done}\n`);
  return exitCodes.failed;
}
