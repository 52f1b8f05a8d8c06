import type { GivenRequest } from '../../../adapters/modbus/exchanges.ts';
import { loadPresets } from '../../../adapters/modbus/presets.ts';
import { type GatewayDraft, type GatewayUnit, noQuirks } from '../../../domain/gateways/gateway.ts';
import type { ReadFunction } from '../../../domain/gateways/point.ts';
import { pointsOfGateway } from '../../../domain/gateways/preset.ts';
import type { SunSpecModel } from '../../../domain/gateways/sunspec.ts';
import { validateGateway } from '../../../domain/gateways/validate.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { onePositional, readFlag, readInputFile, requireFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { nothing, outputWidth, print, snakeCased, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';
import { decodeCapture, type Decoded, type DecodedPoint } from './decode-capture.ts';
import { problemText, readGatewayFile } from './gateway-file.ts';

const bytesMax = 50_000_000;
const defaultIntervalS = 60;

/** `heliograph gateways decode`: shows what recorded frames say. It opens the file and no connection. */
export const gatewaysDecode: Command = {
  name: 'gateways decode',
  usage:
    '(--preset P [--capacity KW] | --gateway FILE.json [--id ID]) --unit N FILE [--function F --address A --count C] [--interval S] [--models 103@40069,…]',
  flags: [
    'preset',
    'capacity',
    'gateway',
    'id',
    'unit',
    'function',
    'address',
    'count',
    'interval',
    'models',
  ],
  async run(context) {
    const path = onePositional(context, 'name one file with frames');
    const unitId = requireFlag(context, 'unit', wholeNumber(0, 255));
    const gateway = await gatewayOf(context, unitId);
    const unit = gateway.units.find((one) => one.unitId === unitId) as GatewayUnit;
    const quirks = { ...noQuirks, ...gateway.quirks, ...unit.quirks };
    const decoded = await decodeCapture({
      text: (await readInputFile(path, bytesMax)).toString('utf8'),
      unitId,
      points: pointsOfGateway({ units: [unit] }, loadPresets()),
      given: givenRequest(context, unitId),
      tolerances: { anyTransactionId: quirks.anyTransactionId, lengthFault: quirks.lengthFault },
      models: readFlag(context, 'models', modelPlaces) ?? [],
      intervalS: readFlag(context, 'interval', wholeNumber(1, 86_400)) ?? gateway.pollIntervalS,
    });
    const json = {
      gateway: context.flags['gateway'] === undefined ? null : gateway.id,
      preset: unit.preset,
      ...decoded,
    };
    print(context, snakeCased(json), () => asText(decoded, outputWidth(context.io)));
    return decoded.polls.length > 0 ? exitCodes.done : exitCodes.failed;
  },
};

/** The gateway of the file, or one made of the preset, with the unit. @throws CommandError */
async function gatewayOf(context: CommandContext, unitId: number): Promise<GatewayDraft> {
  const { preset, gateway: path, id } = context.flags;
  if ((preset === undefined) === (path === undefined))
    throw usageError(context, 'give either --preset or --gateway');
  if (path === undefined) return checked(presetGateway(context, preset ?? '', unitId));
  if (context.flags['capacity'] !== undefined)
    throw usageError(
      context,
      '--capacity belongs to --preset: the file of a gateway has capacity_kw',
    );
  const file = await readGatewayFile(path);
  if ('problems' in file)
    throw new CommandError(
      `${visibleText(path)} cannot be used:\n${file.problems.map((one) => `  ${visibleText(problemText(one))}`).join('\n')}`,
      exitCodes.failed,
    );
  const { gateways } = file;
  const [gateway, ...more] = id === undefined ? gateways : gateways.filter((one) => one.id === id);
  if (gateway === undefined || more.length > 0)
    throw usageError(
      context,
      `choose one gateway of the file by --id: ${gateways.map((one) => one.id).join(', ')}`,
    );
  if (!gateway.units.some((one) => one.unitId === unitId))
    throw usageError(
      context,
      `${gateway.id} has no unit ${unitId}: it has ${gateway.units.map((one) => one.unitId).join(', ')}`,
    );
  return checked(gateway);
}

/** @throws CommandError if a preset is unknown; what else is wrong does not hinder decoding. */
function checked(gateway: GatewayDraft): GatewayDraft {
  const { problems } = validateGateway(gateway, { presets: loadPresets() });
  const unknown = problems.find(({ code }) => code === 'preset_unknown');
  if (unknown !== undefined) throw new CommandError(unknown.message, exitCodes.failed);
  return gateway;
}

function presetGateway(context: CommandContext, preset: string, unitId: number): GatewayDraft {
  const capacityKw = readFlag(context, 'capacity', Number) ?? null;
  if (capacityKw !== null && !(capacityKw > 0))
    throw usageError(context, '--capacity must be a number of kW above 0');
  return {
    id: preset,
    name: preset,
    host: 'localhost',
    port: 502,
    plantId: null,
    customerId: null,
    pollIntervalS: defaultIntervalS,
    priority: 'NORMAL',
    quirks: {},
    units: [{ unitId, preset, quirks: {}, capacityKw, points: [] }],
  };
}

function givenRequest(context: CommandContext, unitId: number): GivenRequest | null {
  const code = readFlag(context, 'function', wholeNumber(1, 4)) as ReadFunction | undefined;
  const address = readFlag(context, 'address', wholeNumber(0, 0xffff));
  const count = readFlag(context, 'count', wholeNumber(1, 2_000));
  if (address === undefined) {
    if (code === undefined && count === undefined) return null;
    throw usageError(context, '--address is missing: it says where the answer begins');
  }
  return { unitId, function: code ?? null, address, count: count ?? null };
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new FieldProblem(
      `must be a whole number from ${min} to ${max}, not ${visibleText(text)}`,
    );
  };
}

/** "103@40069,160@40121": the models end where the next begins, or are as long as they need to be. */
function modelPlaces(text: string): SunSpecModel[] {
  return text.split(',').map((one) => {
    const [, id, address] = /^\s*(\d{1,5})@(\d{1,5})\s*$/.exec(one) ?? [];
    if (id === undefined || Number(address) > 0xffff)
      throw new FieldProblem(
        `must be models with the address of their id, such as 103@40069, not ${visibleText(one)}`,
      );
    return { id: Number(id), address: Number(address), length: 0xffff - Number(address) };
  });
}

function asText({ polls, problems, models }: Decoded, width: number): string {
  const found = models.map(({ id, address, length }) => `${id} at ${address} (length ${length})`);
  const parts = [
    found.length === 0 ? '' : `SunSpec models: ${found.join(', ')}\n`,
    ...polls.map(({ at, outcome, points, refused }, index) => {
      const asked = points.filter(({ isAsked }) => isAsked);
      const left = points.length - asked.length;
      const title = `${polls.length > 1 || at !== null ? `poll ${index + 1}${at === null ? '' : ` at ${at}`}: ` : ''}${outcome}\n`;
      const table =
        asked.length === 0
          ? ''
          : tableText(
              ['KEY', 'REGISTERS', ...right('RAW', 'VALUE'), 'UNIT', 'QUALITY'],
              asked.map(row),
              width,
            );
      const wrong = refused.map(
        ({ line, message }) => `${lineText(line)}${visibleText(message)}\n`,
      );
      const rest = left === 0 ? '' : `${left} more points are not in these frames\n`;
      return `${title}${table}${wrong.join('')}${rest}`;
    }),
    problems.map(({ line, message }) => `${lineText(line)}${visibleText(message)}\n`).join(''),
    polls.length === 0 ? 'the file has no exchange of this unit\n' : '',
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function lineText(line: number | null): string {
  return line === null ? '' : `line ${line} `;
}

function row(point: DecodedPoint): string[] {
  const { key, hex, raw, scaleFactor, value, unit, quality, message } = point;
  const factor = scaleFactor === null ? '' : ` × 10^${scaleFactor}`;
  return [
    key,
    hex === null ? nothing : hex.length <= 24 ? hex : `${hex.slice(0, 23)}…`,
    raw === null ? nothing : `${raw}${factor}`,
    value === null ? nothing : String(value),
    unit ?? '',
    message === null ? quality : `${quality}: ${message}`,
  ];
}
