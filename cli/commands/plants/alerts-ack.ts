import { withDatabase } from '../../../environment/services.ts';
import { acknowledge } from '../../../operations/plants/actions.ts';
import { onePositional, readUntil, readValue, readWords } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
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
    const result = await withDatabase(config, (db) =>
      acknowledge(terminalAct(db), alertId, { comment, until }),
    );
    const alert = orFail(context, result);
    const told = await tellLoopsOf(config, [alert.plant_id]);
    const ends = until === null ? 'until its cause ends' : `until ${until.toISOString()}`;
    print(
      context,
      { ...alert, loops_told: told.told },
      () => `alert ${alertId} of ${alert.plant_id} acknowledged ${ends}\n`,
    );
    context.io.stderr.write(toldNote(told));
  },
};
