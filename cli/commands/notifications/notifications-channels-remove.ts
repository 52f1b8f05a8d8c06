import { withDatabase } from '../../../environment/services.ts';
import { removeChannel } from '../../../operations/notifications/actions.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print, visibleText } from '../../render.ts';
import { channelNamed } from './named.ts';
import { orFail, terminalAct } from './refusals.ts';

/** `heliograph notifications channels remove CHANNEL`: takes a channel out of use that no route leads to. */
export const notificationsChannelsRemove: Command = {
  name: 'notifications channels remove',
  usage: 'CHANNEL [--json]',
  async run(context) {
    const text = onePositional(context, 'name one channel by its ID or name');
    const channel = await withDatabase(context.config(), async (db) => {
      const { id } = await channelNamed(db, text);
      return orFail(context, await removeChannel(terminalAct(db), id));
    });
    print(context, channel, () => `channel ${channel.id} ${visibleText(channel.name)} removed\n`);
  },
};
