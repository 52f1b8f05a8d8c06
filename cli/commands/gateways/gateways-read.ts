import { decodePoint } from '../../../domain/gateways/decode.ts';
import {
  type ByteOrder,
  byteOrders,
  type DataPoint,
  type PointType,
  pointTypes,
  type ReadFunction,
  registersOf,
} from '../../../domain/gateways/point.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { readRegisters } from '../../../operations/gateways/actions.ts';
import { onePositional, readFlag, requireFlag } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { FieldProblem, oneOf } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { right, tableText } from '../../table.ts';
import { gatewayAct } from './act.ts';
import { answerMsMax, failureText } from './gateways-poll.ts';
import { orFail } from './refusals.ts';

/** `heliograph gateways read ID`: reads registers through the worker that walks the gateway, over its own connection. */
export const gatewaysRead: Command = {
  name: 'gateways read',
  usage:
    'ID --address N [--count N] [--unit N] [--function 1|2|3|4] [--as TYPE [--order ORDER]] [--json]\n       --as: int16, uint32, float32 …   --order: ABCD, CDAB, BADC, DCBA',
  flags: ['address', 'count', 'unit', 'function', 'as', 'order'],
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const type = readFlag(
      context,
      'as',
      oneOf<PointType>(pointTypes.filter((one) => registersOf(one) !== null && one !== 'bit')),
    );
    const order = readFlag(context, 'order', oneOf<ByteOrder>(byteOrders)) ?? 'ABCD';
    const read = {
      unitId: readFlag(context, 'unit', whole(0, 255)) ?? 1,
      function: (readFlag(context, 'function', whole(1, 4)) ?? 3) as ReadFunction,
      address: requireFlag(context, 'address', whole(0, 65_535)),
      count:
        readFlag(context, 'count', whole(1, 125)) ??
        (type === undefined ? 1 : (registersOf(type) ?? 1)),
    };
    const { answer } = orFail(
      await withDatabase(context.config(), (db) =>
        readRegisters(gatewayAct(db), gatewayId, read, answerMsMax),
      ),
    );
    if ('outcome' in answer || !('bytes_hex' in answer)) {
      print(context, answer, () => ('outcome' in answer ? '' : failureText(answer)));
      return exitCodes.failed;
    }
    const values = type === undefined ? [] : decoded(answer.bytes_hex, { ...read, type, order });
    print(context, { ...answer, values }, () => {
      const words = answer.bytes_hex.match(/.{1,4}/g) ?? [];
      if (values.length === 0)
        return tableText(
          [...right('ADDRESS'), 'HEX', ...right('DECIMAL')],
          words.map((word, n) => [
            String(read.address + n),
            word,
            String(Number.parseInt(word, 16)),
          ]),
          100,
        );
      return tableText(
        right('ADDRESS', 'VALUE'),
        values.map((one) => [String(one.address), String(one.value)]),
        100,
      );
    });
    return undefined;
  },
};

const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^(0x)?[\da-f]+$/i.test(text) && Number.isInteger(value) && value >= min && value <= max)
      return value;
    throw new FieldProblem(`must be a whole number from ${min} to ${max}`);
  };

/** The answer as values of a type, one after the other. */
function decoded(
  hex: string,
  {
    type,
    order,
    address,
    function: code,
  }: { type: PointType; order: ByteOrder; address: number; function: ReadFunction },
): { address: number; value: number | string | null }[] {
  const bytes = Buffer.from(hex, 'hex');
  const registers = registersOf(type) ?? 1;
  const point: DataPoint = {
    key: 'value',
    name: 'value',
    function: code,
    address,
    documented: null,
    sunspec: null,
    type,
    order,
    registers,
    bit: null,
    scale: 1,
    offset: 0,
    unit: null,
    kind: 'GAUGE',
    range: { min: null, max: null },
    sentinels: [],
    maxRatePerHour: null,
  };
  return Array.from({ length: Math.floor(bytes.length / 2 / registers) }, (_, n) => {
    const part = bytes.subarray(n * registers * 2, (n + 1) * registers * 2);
    return { address: address + n * registers, value: decodePoint(point, part, null).value };
  });
}
