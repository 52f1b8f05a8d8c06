import { counted } from '../../../domain/wording.ts';
import { components } from '../../../operations/components.ts';
import { type Finding, inspect } from '../../../operations/diagnosis.ts';
import { noPositionals, readZone } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { print } from '../../render.ts';
import { exitCodeOf, findingsText, withLook } from './findings.ts';
import { isEmpty, type PollingTargets } from './polling-targets.ts';

/** `heliograph validate`: checks that every ACTIVE plant and every gateway that is due is watched now. */
export const validate: Command = {
  name: 'validate',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command checks the whole fleet: name no plant');
    return validateTargets(context, { gatewayIds: [], plantIds: [] });
  },
};

/**
 * Checks the whole fleet, and shows what is found.
 *
 * @param targets shows only what is about these; none: everything.
 * @returns the exit code.
 */
export async function validateTargets(
  context: CommandContext,
  targets: PollingTargets,
): Promise<number> {
  const zone = readZone(context);
  const checkedAt = new Date().toISOString();
  const { inspections, findings: all } = await withLook(context.config(), (look) =>
    inspect(components, look, zone),
  );
  const findings = isEmpty(targets) ? all : all.filter(({ facts }) => isAbout(targets, facts));
  const json = {
    checked_at: checkedAt,
    ...Object.assign({}, ...inspections.map(({ counts }) => counts)),
    findings: findings.map(({ kind, component, facts, sentence }) => ({
      kind: kind ?? component,
      plant_id: null,
      at: null,
      ...facts,
      sentence,
    })),
  };
  print(context, json, () => {
    const summaries = inspections
      .map(({ summary }) => (summary === '' ? '' : `${summary}\n`))
      .join('');
    const count = findings.length === 0 ? 'nothing is found' : counted(findings.length, 'finding');
    return `${summaries}${count}\n${findingsText(findings)}`;
  });
  return exitCodeOf(findings);
}

function isAbout({ gatewayIds, plantIds }: PollingTargets, facts: Finding['facts'] = {}): boolean {
  return (
    gatewayIds.includes(facts['gateway_id'] ?? '') || plantIds.includes(facts['plant_id'] ?? '')
  );
}
