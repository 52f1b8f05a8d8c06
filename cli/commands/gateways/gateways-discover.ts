import { discoverUnit, type UnitFound } from '../../../adapters/modbus/discover.ts';
import { loadPresets } from '../../../adapters/modbus/presets.ts';
import { createSites } from '../../../adapters/modbus/site.ts';
import { type Cidr, parseNetworks } from '../../../domain/gateways/network.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { onePositional, readFlag } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { nothing, print, snakeCased, visibleText } from '../../render.ts';
import { factsText, section } from '../../table.ts';
import { readAddress } from './address.ts';

/** Unit ids that devices come with. */
const usualUnits = [1, 2, 3, 0, 100, 126, 127, 200, 240, 247, 255];
/** The person at the terminal stands in the network of the gateway. */
const ownNetworks = '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7';
const unitsMax = 256;

/** `heliograph gateways discover`: opens one connection from this machine, reads, and saves nothing. */
export const gatewaysDiscover: Command = {
  name: 'gateways discover',
  usage: 'HOST[:PORT] [--unit N,M-O] [--base ADDRESS] [--timeout MS]',
  flags: ['unit', 'base', 'timeout'],
  async run(context) {
    const text = onePositional(context, 'name one gateway as HOST or HOST:PORT');
    const { host, port } = readAddress(context, text);
    const units = readFlag(context, 'unit', unitList) ?? usualUnits;
    const base = readFlag(context, 'base', number(0xffff));
    const timeoutMs = readFlag(context, 'timeout', number(60_000)) ?? 1_000;
    const sites = createSites({ networks: readNetworks(context), requestTimeoutMs: timeoutMs });
    try {
      const site = sites.of(host, port);
      const found: UnitFound[] = [];
      for (const unitId of units) {
        const unit = await discoverUnit(site, unitId, {
          presets: loadPresets(),
          deadlineMs: timeoutMs + 3_000,
          ...(base === undefined ? {} : { bases: [base] }),
        });
        found.push(unit);
        // Nobody listens: other units are no nearer.
        if (unit.failure !== null && !['TIMEOUT', 'UNIT_SILENT'].includes(unit.failure.reason))
          break;
      }
      const json = { host, port, units: found };
      print(context, snakeCased(json), () => found.map(unitText).join('\n'));
      return found.some(({ answers }) => answers) ? exitCodes.done : exitCodes.failed;
    } finally {
      sites.close();
    }
  },
};

function readNetworks({ io }: CommandContext): Cidr[] {
  try {
    return parseNetworks(io.env['GATEWAY_NETWORKS'] ?? ownNetworks);
  } catch (cause) {
    throw new CommandError(
      `GATEWAY_NETWORKS ${(cause as Error).message}`,
      exitCodes.configuration,
      { cause },
    );
  }
}

/** "1", "1,3", "1-10,247". */
function unitList(text: string): number[] {
  const units = text.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,3})(?:-(\d{1,3}))?\s*$/.exec(part) ?? [];
    const from = Number(first);
    const to = Number(last);
    if (!(from <= to && to <= 255))
      throw new FieldProblem(
        `must be unit ids from 0 to 255, such as 1 or 1-10,247, not ${visibleText(text)}`,
      );
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return [...new Set(units)].slice(0, unitsMax);
}

function number(max: number): (text: string) => number {
  return (text) => {
    const value = /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
    if (value >= 0 && value <= max) return value;
    throw new FieldProblem(`must be a whole number up to ${max}, not ${visibleText(text)}`);
  };
}

function unitText(unit: UnitFound): string {
  const { unitId, answers, functions, sunspec, noSunspec, identity, wordOrder, presets, failure } =
    unit;
  if (!answers)
    return `unit ${unitId} does not answer: ${failure?.message ?? functions[0]?.said ?? nothing}\n`;
  const models = (sunspec?.models ?? []).map(
    ({ id, address, length }) => `${id} at ${address} (length ${length})`,
  );
  const facts = factsText([
    ['Functions', functions.map(({ function: code, said }) => `${code}: ${said}`).join('; ')],
    ['Device', Object.values(identity).join(' ') || null],
    [
      'SunSpec',
      sunspec === null
        ? `none (${noSunspec.join('; ')})`
        : `at ${sunspec.base}: ${models.join(', ') || 'no models'}`,
    ],
    ['SunSpec problems', sunspec?.problems.join('; ') || null],
    [
      'Word order',
      wordOrder === null
        ? 'not known: too few values tell it'
        : `${wordOrder.order}: ${wordOrder.reason}`,
    ],
    [
      'Presets',
      presets.map(({ name, fits, of }) => `${name} (${fits} of ${of} points)`).join(', ') ||
        'none fits',
    ],
  ]);
  return section(`unit ${unitId} answers`, facts);
}
