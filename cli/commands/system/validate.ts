import { counted } from '../../../domain/wording.ts';
import { components } from '../../../operations/components.ts';
import { inspect } from '../../../operations/diagnosis.ts';
import { noPositionals, readZone } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print } from '../../render.ts';
import { exitCodeOf, findingsText, withLook } from './findings.ts';

/** `heliograph validate`: checks that every ACTIVE plant is watched now. */
export const validate: Command = {
  name: 'validate',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command checks the whole fleet: name no plant');
    const zone = readZone(context);
    const checkedAt = new Date().toISOString();
    const { inspections, findings } = await withLook(context.config(), (look) =>
      inspect(components, look, zone),
    );
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
      const summaries = inspections.map(({ summary }) => `${summary}\n`).join('');
      const count =
        findings.length === 0 ? 'nothing is found' : counted(findings.length, 'finding');
      return `${summaries}${count}\n${findingsText(findings)}`;
    });
    return exitCodeOf(findings);
  },
};
