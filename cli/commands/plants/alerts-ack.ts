import { acknowledge } from '../../../operations/plants/actions.ts';
import { type Command, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { FieldProblem, wholeNumber } from '../../plant-fields.ts';
import { writeJson } from '../../render.ts';
import { readUntil, readWords } from '../../said.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { orFail } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';

const readId = wholeNumber('the number of an alert', 1, 999_999_999);

/** `heliograph alerts ack ID`: a person has seen it. */
export const alertsAck: Command = {
  name: 'alerts ack',
  usage: 'ID --comment TEXT [--until TIME] [--json]',
  options: { comment: { type: 'string' }, until: { type: 'string' } },
  async run(context) {
    const [text, ...more] = context.positionals;
    if (text === undefined || more.length > 0)
      throw usageError(alertsAck, 'name one alert by its ID, as `heliograph alerts list` shows it');
    const alertId = alertIdOf(text);
    const comment = readWords(context, alertsAck, 'comment');
    if (comment === null) throw usageError(alertsAck, 'say why by --comment');
    const until = readUntil(context, alertsAck, Date.now()) ?? null;
    const config = context.config();
    const db = await connectDatabase(config);
    let result;
    try {
      result = await acknowledge(terminalAct(db), alertId, { comment, until });
    } finally {
      await db.destroy();
    }
    const alert = orFail(alertsAck, result);
    const told = await tellLoopsOf(config, [alert.plant_id]);
    if (context.json) writeJson(context.io, { ...alert, loops_told: told.told });
    else {
      const ends = until === null ? 'until its cause ends' : `until ${until.toISOString()}`;
      context.io.stdout.write(`alert ${alertId} of ${alert.plant_id} acknowledged ${ends}\n`);
    }
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

function alertIdOf(text: string): number {
  try {
    return readId(text);
  } catch (error) {
    if (error instanceof FieldProblem) throw usageError(alertsAck, `ID ${error.message}`);
    throw error;
  }
}
