import { findAlert } from '../../../db/plants/alerts.ts';
import { withDatabase } from '../../../environment/services.ts';
import { acknowledge } from '../../../operations/plants/actions.ts';
import { onePositional, readValue, readWords } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { readUntil } from '../../until.ts';
import { orFail } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';

const readId = wholeNumber('the number of an alert', 1, 999_999_999);

/** `heliograph alerts ack ID`: a person has seen it. */
export const alertsAck: Command = {
  name: 'alerts ack',
  usage: 'ID --comment TEXT [--until TIME] [--json]',
  flags: ['comment', 'until'],
  async run(context) {
    const text = onePositional(context, 'name one alert by its ID (see `heliograph alerts list`)');
    const alertId = readValue(context, 'ID', text, readId);
    const comment = readWords(context, 'comment');
    if (comment === null) throw usageError(context, 'say why by --comment');
    const until = readUntil(context);
    const config = context.config();
    const result = await withDatabase(config, async (db) => {
      const timezone = (await findAlert(db, alertId, null))?.timezone;
      // An unknown alert is refused in any zone.
      const at = until?.in(timezone ?? 'UTC') ?? null;
      return acknowledge(terminalAct(db), alertId, { comment, until: at });
    });
    const alert = orFail(context, result);
    const told = await tellLoopsOf(config, [alert.plant_id]);
    const ends = until?.words ?? 'until its cause ends';
    print(
      context,
      { ...alert, loops_told: told.told },
      () => `alert ${alertId} of ${alert.plant_id} acknowledged ${ends}\n`,
    );
    context.io.stderr.write(toldNote(told));
  },
};
