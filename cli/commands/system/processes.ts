import { hostname } from 'node:os';

import { listWatchedGateways } from '../../../db/gateways/diagnosis.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { createLook, valueOf } from '../../../operations/diagnosis.ts';
import { gatewayWorkers } from '../../../operations/gateways/shards.ts';
import { findPollers, type Poller } from '../../../operations/processes.ts';
import { queueViews } from '../../../operations/queues.ts';
import type { CommandContext } from '../../command.ts';
import { print, visibleText } from '../../render.ts';
import { indented } from '../../table.ts';
import { withSystem } from './services.ts';

/** `heliograph audit --processes`: old pollers on this machine, and how to end them. It ends none. */

const answerMsMax = 30_000;

/** @returns the exit code: 1 if there is one. */
export async function listProcesses(context: CommandContext): Promise<number> {
  const pollers = await withSystem(context.config(), async (services) => {
    const look = createLook(services, answerMsMax);
    const workers = valueOf(await look(gatewayWorkers));
    const views = valueOf(await look(queueViews));
    const here = hostname();
    const polling = views.flatMap((view) => view.workers.map(({ identity }) => identity));
    const ownPids = new Set([
      process.pid,
      ...workers.filter(({ host }) => host === here).map(({ pid }) => pid),
      ...polling
        .filter((identity) => identity.endsWith(`@${here}`))
        .map((identity) => parseInt(identity, 10)),
      ...(context.config().stack === null ? [] : [context.config().stack?.pid ?? 0]),
    ]);
    const gateways = await listWatchedGateways(services.db, services.clock(), 1);
    return findPollers({ gateways, ownPids });
  });
  print(context, { host: hostname(), pollers }, () => pollersText(pollers));
  return pollers.length === 0 ? exitCodes.done : exitCodes.failed;
}

const kindWords = {
  CRON_LINE: 'a line of cron',
  FOREIGN_WORKER: 'a worker that this system does not know',
  SECOND_MASTER: 'a second master',
} as const satisfies Record<Poller['kind'], string>;

function pollersText(pollers: readonly Poller[]): string {
  if (pollers.length === 0)
    return 'no other poller is found on this machine; ask on every machine that can reach the gateways\n';
  const blocks = pollers.map((one) => {
    const { kind, pid, command, where, gateways, how_to_end: how } = one;
    const head = [kindWords[kind], pid === null ? null : `pid ${pid}`, where]
      .filter((part) => part !== null)
      .join(', ');
    const lines = [
      command,
      ...(gateways.length === 0 ? [] : [`is connected to ${gateways.join(', ')}`]),
      `→ to end it: ${how}`,
    ];
    return `${visibleText(head)}\n${indented(lines.map((line) => `${visibleText(line)}\n`).join(''))}`;
  });
  return `${counted(pollers.length, 'other poller')} on this machine; none was ended\n\n${blocks.join('\n')}`;
}
