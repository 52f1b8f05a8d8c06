import type { Answer, AnsweredPoint } from '../../../db/gateways/requests.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { pollGateway } from '../../../operations/gateways/actions.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';
import { gatewayAct } from './act.ts';
import { orFail } from './refusals.ts';
import { valueText } from './words.ts';

/** Longer than the longest poll, 10 s, that may stand before this one. */
export const answerMsMax = 25_000;

/** `heliograph gateways poll ID`: polls now, through the worker that walks the gateway. */
export const gatewaysPoll: Command = {
  name: 'gateways poll',
  usage: 'ID [--json]',
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const { answer } = orFail(
      await withDatabase(context.config(), (db) =>
        pollGateway(gatewayAct(db), gatewayId, answerMsMax),
      ),
    );
    print(context, answer, () => answerText(answer, outputWidth(context.io)));
    return 'outcome' in answer && ['OK', 'PARTIAL'].includes(answer.outcome)
      ? undefined
      : exitCodes.failed;
  },
};

function answerText(answer: Answer, width: number): string {
  if (!('outcome' in answer)) return failureText(answer);
  const why = answer.message ?? answer.reason;
  const head = `${answer.outcome} at ${answer.read_at}${why === null ? '' : `: ${why}`}\n`;
  if (answer.points.length === 0) return head;
  return `${head}${pointsText(answer.points, width)}`;
}

/** Decoded values beside the raw registers. */
export function pointsText(points: readonly AnsweredPoint[], width: number): string {
  const rows = points.map(({ unit_id: unitId, key, value, unit, quality, raw }) => [
    String(unitId),
    key,
    typeof value === 'string' ? visibleText(value) : valueText(value, unit),
    quality,
    // A register has four digits.
    raw?.replaceAll(/(.{4})(?=.)/g, '$1 ') ?? nothing,
  ]);
  return tableText(['UNIT', 'POINT', ...right('VALUE'), 'QUALITY', 'RAW'], rows, width);
}

/** Why a request has no bytes. */
export function failureText(answer: Exclude<Answer, { outcome: string }>): string {
  if ('failure' in answer) return `${answer.failure.reason}: ${answer.failure.message}\n`;
  return 'exception' in answer
    ? `the device answered with exception ${answer.exception}\n`
    : `${answer.bytes_hex}\n`;
}
