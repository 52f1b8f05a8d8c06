import { loadPresets } from '../../../adapters/modbus/presets.ts';
import type { Problem } from '../../../domain/gateways/fields.ts';
import type { GatewayDraft } from '../../../domain/gateways/gateway.ts';
import {
  assumedRoundTripMs,
  sharedBudgets,
  validateGateway,
} from '../../../domain/gateways/validate.ts';
import { exitCodes } from '../../../environment/config.ts';
import { onePositional, readFlag } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { print, snakeCased, visibleText } from '../../render.ts';
import { problemText, readGatewayFile } from './gateway-file.ts';

export const gatewaysValidate: Command = {
  name: 'gateways validate',
  usage: 'FILE.json [--round-trip MS]',
  flags: ['round-trip'],
  async run(context) {
    const path = onePositional(context, 'name one file with gateways, or one gateway');
    const roundTripMs = readFlag(context, 'round-trip', milliseconds) ?? assumedRoundTripMs;
    const file = await readGatewayFile(path);
    const found =
      'problems' in file
        ? { isValid: false, problems: file.problems, gateways: [] }
        : validated(file.gateways, roundTripMs);
    const { isValid, ...others } = found;
    print(context, snakeCased({ valid: isValid, ...others }), () => asText(context, found));
    return isValid ? exitCodes.done : exitCodes.failed;
  },
};

function milliseconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= 60_000) return value;
  throw new FieldProblem(`must be milliseconds up to 60000, not ${visibleText(text)}`);
}

type Found = ReturnType<typeof validated>;

function validated(gateways: readonly GatewayDraft[], roundTripMs: number) {
  const options = { presets: loadPresets(), roundTripMs };
  const problems = sharedBudgets(gateways, options);
  const each = gateways.map((gateway) => {
    const { problems: own, warnings, budget } = validateGateway(gateway, options);
    return {
      id: gateway.id,
      valid: own.length === 0,
      problems: own,
      warnings,
      budget: budget && { ...budget, roundTripMs },
    };
  });
  const isValid = problems.length === 0 && each.every(({ valid }) => valid);
  return { isValid, problems, gateways: each };
}

function asText(_context: CommandContext, { problems, gateways }: Found): string {
  const lines = (list: readonly Problem[], mark: string) =>
    list.map((one) => `  ${mark} ${visibleText(problemText(one))}\n`).join('');
  const each = gateways.map(({ id, valid, problems: own, warnings, budget }) => {
    const cost =
      budget === null
        ? ''
        : `: a poll has ${budget.requests} requests and needs ${budget.neededMs} of ${budget.allowedMs} ms`;
    return `${id} ${valid ? 'is valid' : 'would not work'}${cost}\n${lines(own, '✗')}${lines(warnings, '!')}`;
  });
  const general =
    problems.length === 0 ? '' : `the file cannot be used as it is\n${lines(problems, '✗')}`;
  return `${general}${each.join('')}`;
}
