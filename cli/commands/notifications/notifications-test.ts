import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { sendTest } from '../../../operations/notifications/actions.ts';
import { noPositionals, readFlag } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { channelNamed } from './named.ts';
import { deliveryText } from './notifications-list.ts';
import { orFail, terminalAct } from './refusals.ts';

/** Longer than an attempt may take. */
const waitSDefault = 30;

/** `heliograph notifications test`: a test message through the outbox and the worker, and what the server said. */
export const notificationsTest: Command = {
  name: 'notifications test',
  usage: '--channel slack|email|webhook|NAME [--to ADDRESS] [--timeout SECONDS] [--json]',
  flags: ['channel', 'to', 'timeout'],
  async run(context) {
    noPositionals(context, 'name the channel by --channel');
    const { channel: name, to = null } = context.flags;
    if (name === undefined) throw usageError(context, '--channel is missing');
    const readWait = wholeNumber('a whole number of seconds', 0, 600);
    const waitS = readFlag(context, 'timeout', readWait) ?? waitSDefault;
    const delivery = await withDatabase(context.config(), async (db) => {
      const { id: channelId } = await channelNamed(db, name);
      return orFail(context, await sendTest(terminalAct(db), { channelId, to }, waitS * 1_000));
    });
    const isWaiting = delivery.state === 'PENDING' || delivery.state === 'SENDING';
    const note = isWaiting
      ? `no answer within ${waitS} s: does a worker serve queue:notifications? \`heliograph notifications list\` shows what becomes of it.\n`
      : '';
    print(context, delivery, () => `${deliveryText(delivery)}${note}`);
    return delivery.state === 'SENT' ? exitCodes.done : exitCodes.failed;
  },
};
