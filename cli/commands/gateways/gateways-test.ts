import { loadPresets } from '../../../adapters/modbus/presets.ts';
import { allPlants } from '../../../db/scope.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import {
  testAddress,
  type TestDeps,
  testKnownGateway,
  type TestRefusal,
} from '../../../operations/gateways/test-address.ts';
import type { TestGatewayResult, UnitTested } from '../../../workflows/gateways/messages.ts';
import { onePositional, readFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { outputWidth, print, visibleText } from '../../render.ts';
import { readAddress } from './address.ts';
import { pointsText } from './gateways-poll.ts';
import { orFail } from './refusals.ts';

/** A person at a terminal has more patience than a browser. */
const waitMs = 120_000;

/** `heliograph gateways test`: the worker that polls gateways connects, reads once, and saves nothing. */
export const gatewaysTest: Command = {
  name: 'gateways test',
  usage: 'HOST[:PORT] --unit N [--preset P] [--json]\n       ID [--json]',
  flags: ['unit', 'preset'],
  async run(context) {
    const ask = readWish(context);
    const result = await withDatabase(context.config(), (db) =>
      withTemporal(context.config(), (client) => ask({ db, client })),
    );
    const tested = orFail(result);
    print(context, tested, () => testedText(tested, outputWidth(context.io)));
    const isGood = tested.units.every(({ outcome }) => outcome === 'OK' || outcome === 'PARTIAL');
    return isGood ? exitCodes.done : exitCodes.failed;
  },
};

type Ask = (deps: TestDeps) => Promise<TestGatewayResult | TestRefusal>;

/** An address with its unit, or the id of a gateway. @throws CommandError 2 */
function readWish(context: CommandContext): Ask {
  const text = onePositional(
    context,
    'name one address as HOST or HOST:PORT, or a gateway by its ID',
  );
  const unitId = readFlag(context, 'unit', wholeNumber('a unit id', 0, 255));
  const preset = context.flags['preset'];
  if (unitId !== undefined) {
    const address = { ...readAddress(context, text), unit_id: unitId, preset };
    return (deps) => testAddress(deps, address, { presets: loadPresets(), timeoutMs: waitMs });
  }
  if (preset !== undefined || /[.:]/.test(text))
    throw usageError(
      context,
      `--unit is missing: which unit of ${visibleText(text)}? Often it is 1`,
    );
  return (deps) => testKnownGateway(deps, text, { scope: allPlants, timeoutMs: waitMs });
}

function testedText({ host, port, units }: TestGatewayResult, width: number): string {
  return units
    .map((unit) => unitText(`${host}:${port} unit ${unit.unit_id}`, unit, width))
    .join('');
}

function unitText(place: string, unit: UnitTested, width: number): string {
  const { outcome, preset, message, reason, points, found } = unit;
  if (outcome === null) {
    const why =
      found === null
        ? 'there is nothing to read'
        : found.answers
          ? 'it answers, and no preset fits: name one with --preset, or see `heliograph gateways discover`'
          : (found.failure?.message ?? 'it does not answer');
    return visibleText(`${place}: ${why}`) + '\n';
  }
  const by = preset === null ? '' : ` by preset ${preset}`;
  const why = message ?? reason;
  const head = visibleText(`${place}: ${outcome}${by}${why === null ? '' : `: ${why}`}`);
  return `${head}\n${points.length === 0 ? '' : pointsText(points, width)}`;
}
