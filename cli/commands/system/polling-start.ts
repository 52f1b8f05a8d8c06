import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { resumeGateways } from '../../../operations/gateways/actions.ts';
import { resume } from '../../../operations/plants/actions.ts';
import { liftAll } from '../../../operations/polling.ts';
import type { Command } from '../../command.ts';
import { print } from '../../render.ts';
import { startLoopsNow, temporalAwayNote } from '../plants/tell-loops.ts';
import { decideForTargets, terminalAct } from './polling-decisions.ts';
import { readTargetsOrAll, targetFlags } from './polling-targets.ts';

/** `heliograph polling start`: polls gateways and plants again, also disabled ones; `--all` lifts the emergency stop. */
export const pollingStart: Command = {
  name: 'polling start',
  usage: '--gateway ID|--plant ID|--all [--json]',
  flags: targetFlags,
  switches: ['all'],
  async run(context) {
    const targets = readTargetsOrAll(context, 'lifts the emergency stop');
    if (targets !== 'ALL')
      return decideForTargets(context, targets, {
        done: 'started',
        already: 'was started already',
        gateways: resumeGateways,
        plants: resume,
      });
    const config = context.config();
    const lifted = await withDatabase(config, (db) => liftAll(terminalAct(db)));
    const isTold = lifted === null || (await startLoopsNow(config));
    const json = {
      lifted:
        lifted === null ? null : { since: lifted.halt.fromAt.toISOString(), by: lifted.halt.by },
      gateways: lifted?.gateways ?? 0,
    };
    print(context, json, () => {
      if (lifted === null) return 'nobody has stopped all polling\n';
      const due = counted(lifted.gateways, 'gateway is', 'gateways are');
      return `polling goes on; ${due} due again\n${isTold ? '' : temporalAwayNote}`;
    });
    return exitCodes.done;
  },
};
