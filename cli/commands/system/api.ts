import { startApi } from '../../api.ts';
import type { Command } from '../../command.ts';
import { createLog } from '../../../environment/log.ts';
import { warnOfUnknownVariables } from '../../../environment/unknown-variables.ts';

/** `heliograph api`: serves the API and its pages until a signal stops it. */
export const api: Command = {
  name: 'api',
  usage: '',
  async run({ config: readConfig, io }) {
    const config = readConfig();
    const log = createLog(config.LOG_LEVEL);
    warnOfUnknownVariables(io.env, log);
    const running = await startApi(config, log);
    await new Promise<void>((resolve) => {
      let isStopping = false;
      const stop = (signal: NodeJS.Signals) => {
        if (isStopping) return;
        isStopping = true;
        log.info({ signal }, 'API stops: running requests finish first');
        resolve();
      };
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
      // A child of `heliograph start` ends with its parent, even when that is killed.
      process.once('disconnect', () => stop('SIGTERM'));
      process.send?.({ started: running.url });
    });
    await running.stop();
    log.info({}, 'API stopped');
    if (process.connected) process.disconnect?.();
  },
};
