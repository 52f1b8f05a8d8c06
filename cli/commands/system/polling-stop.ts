import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { haltSentence } from '../../../operations/halt.ts';
import { pauseGateways } from '../../../operations/gateways/actions.ts';
import { pause } from '../../../operations/plants/actions.ts';
import { haltAll } from '../../../operations/polling.ts';
import { readWords } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print, visibleText } from '../../render.ts';
import { agree } from '../plants/selected-plants.ts';
import { decideForTargets, terminalAct } from './polling-decisions.ts';
import { readTargetsOrAll, targetFlags } from './polling-targets.ts';

/** `heliograph polling stop`: stops gateways and plants until they are started; `--all` is the emergency stop. */
export const pollingStop: Command = {
  name: 'polling stop',
  usage: '--gateway ID|--plant ID|--all [--reason TEXT] [--yes] [--json]',
  flags: [...targetFlags, 'reason'],
  switches: ['all', 'yes'],
  async run(context) {
    const targets = readTargetsOrAll(context, 'stops all polling at once');
    const reason = readWords(context, 'reason');
    if (targets !== 'ALL')
      return decideForTargets(context, targets, {
        done: 'stopped',
        already: 'was stopped already',
        gateways: (act, ids) => pauseGateways(act, ids, reason),
        plants: (act, ids) => pause(act, ids, { until: null, reason }),
      });
    await agree(context, 'all polling of plants and gateways will stop');
    const { halt, isNew, gateways } = await withDatabase(context.config(), (db) =>
      haltAll(terminalAct(db), reason),
    );
    const json = {
      halted: { since: halt.fromAt.toISOString(), by: halt.by, reason: halt.reason },
      is_new: isNew,
      gateways,
    };
    print(context, json, () => {
      const sentence = visibleText(haltSentence(halt, 'UTC'));
      if (!isNew) return `${sentence} Nothing was changed.\n`;
      return `${sentence}\nNothing is sent later than 2 s from now; ${counted(gateways, 'gateway is', 'gateways are')} no longer due, and plants' slots become SKIPPED_INACTIVE.\n\`heliograph polling start --all\` lifts it; nobody's own pause is changed.\n`;
    });
    return exitCodes.done;
  },
};
