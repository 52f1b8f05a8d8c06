import { seal } from '../../../db/sealing.ts';
import { addedKinds, settingFields } from '../../../domain/notifications/channel-settings.ts';
import { CommandError, exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { addChannel } from '../../../operations/notifications/actions.ts';
import { onePositional, requireFlag } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { readFields, readInput } from '../../fields-input.ts';
import { oneOf } from '../../plant-fields.ts';
import { print, visibleText } from '../../render.ts';
import { channelNotes } from './named.ts';
import { orFail, terminalAct } from './refusals.ts';

/** `heliograph notifications channels add NAME --kind K`: a channel whose settings come from standard input, and are sealed. */
export const notificationsChannelsAdd: Command = {
  name: 'notifications channels add',
  usage:
    'NAME --kind EMAIL|SLACK|WEBHOOK [--json] < settings (lines of field=value, or a JSON object)',
  notes: channelNotes,
  flags: ['kind'],
  async run(context) {
    const name = onePositional(context, 'say how the channel is called');
    const kind = requireFlag(context, 'kind', oneOf(addedKinds));
    const config = context.config();
    const keys = requireMasterKeys(config);
    const { required, optional } = settingFields[kind];
    const fields = [...required, ...optional.map((field) => `[${field}]`)].join(', ');
    const given = readFields(await readInput(context.io.stdin, fields, 'settings'));
    if (given.size === 0)
      throw new CommandError(
        `standard input is empty: the channel needs ${fields}`,
        exitCodes.usage,
      );
    const channel = await withDatabase(config, async (db) =>
      orFail(
        context,
        await addChannel(
          terminalAct(db),
          { kind, name, settings: Object.fromEntries(given) },
          (place, secrets) => seal(keys, place, secrets),
        ),
      ),
    );
    print(
      context,
      channel,
      () =>
        `channel ${channel.id} ${visibleText(name)} added: \`heliograph notifications test --channel ${channel.id}\` tries it\n`,
    );
  },
};
