import { seal } from '../../../db/sealing.ts';
import { addedKinds, settingFields } from '../../../domain/notifications/channel-settings.ts';
import { requireMasterKeys } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { changeChannel } from '../../../operations/notifications/actions.ts';
import { onePositional } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { readFields, readInput } from '../../fields-input.ts';
import { print, visibleText } from '../../render.ts';
import { channelNamed, channelNotes } from './named.ts';
import { orFail, terminalAct } from './refusals.ts';

/** `heliograph notifications channels set CHANNEL`: another name, or new settings from standard input. */
export const notificationsChannelsSet: Command = {
  name: 'notifications channels set',
  usage:
    'CHANNEL [--name NAME] [--settings] [--json] [< all settings (lines of field=value, or a JSON object)]',
  notes: channelNotes,
  flags: ['name'],
  switches: ['settings'],
  async run(context) {
    const text = onePositional(context, 'name one channel by its ID or name');
    const { name } = context.flags;
    const isSealed = context.switches.has('settings');
    if (name === undefined && !isSealed)
      throw usageError(context, 'say what to change: --name, or --settings with standard input');
    const config = context.config();
    const keys = requireMasterKeys(config);
    const channel = await withDatabase(config, async (db) => {
      const { id, kind } = await channelNamed(db, text);
      const known = addedKinds.find((one) => one === kind);
      const { required, optional } = known ? settingFields[known] : { required: [], optional: [] };
      const fields = [...required, ...optional.map((field) => `[${field}]`)].join(', ');
      const settings = isSealed
        ? Object.fromEntries(readFields(await readInput(context.io.stdin, fields, 'settings')))
        : undefined;
      return orFail(
        context,
        await changeChannel(terminalAct(db), id, { name, settings }, (place, secrets) =>
          seal(keys, place, secrets),
        ),
      );
    });
    print(
      context,
      channel,
      () =>
        `channel ${channel.id} ${visibleText(channel.name)} changed: \`heliograph notifications test --channel ${channel.id}\` tries it\n`,
    );
  },
};
