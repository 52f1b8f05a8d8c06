import { withDatabase } from '../../../environment/services.ts';
import { retry } from '../../../operations/notifications/actions.ts';
import { onePositional, readValue } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { deliveryText } from './notifications-list.ts';
import { orFail, terminalAct } from './refusals.ts';

const readId = wholeNumber('the number of a delivery', 1, 999_999_999);

/** `heliograph notifications retry ID`: a delivery that failed or was given up is tried again, now. */
export const notificationsRetry: Command = {
  name: 'notifications retry',
  usage: 'ID [--json]',
  async run(context) {
    const text = onePositional(
      context,
      'name one delivery by its ID (see `heliograph notifications list`)',
    );
    const id = readValue(context, 'ID', text, readId);
    const delivery = await withDatabase(context.config(), async (db) =>
      orFail(context, await retry(terminalAct(db), id)),
    );
    print(context, delivery, () => deliveryText(delivery));
  },
};
