import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { resetPolling } from '../../../operations/polling.ts';
import { noPositionals } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print } from '../../render.ts';
import { agree } from '../plants/selected-plants.ts';
import { terminalAct } from './polling-decisions.ts';
import { withSystem } from './services.ts';

/** `heliograph polling reset`: stops all polling, clears our own locks and leases, reconciles, and starts. */
export const pollingReset: Command = {
  name: 'polling reset',
  usage: '[--yes] [--json]',
  switches: ['yes'],
  async run(context) {
    noPositionals(context, 'the command resets all polling: name nothing');
    await agree(
      context,
      'all polling will stop for a few seconds, and the locks and leases of this system will be cleared',
    );
    const report = await withSystem(context.config(), (services) =>
      resetPolling(terminalAct(services.db), { client: services.temporal, locks: services.locks }),
    );
    print(context, report, () => {
      const end = report.lifted
        ? 'polling goes on'
        : 'polling was stopped before and still is: `heliograph polling start --all` starts it';
      return `${counted(report.locks.length, 'lock')} deleted, ${counted(report.leases.length, 'lease')} freed, the fleet reconciled; ${end}\n`;
    });
    return exitCodes.done;
  },
};
