import { components } from '../../../operations/components.ts';
import { inspect } from '../../../operations/diagnosis.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { type Command, usageError } from '../../command.ts';
import { writeJson } from '../../render.ts';
import { findingsText, withLook } from './findings.ts';

/** `heliograph validate`: checks that every ACTIVE plant is watched now. */
export const validate: Command = {
  name: 'validate',
  usage: '[--json]',
  options: {},
  async run(context) {
    if (context.positionals.length > 0)
      throw usageError(validate, 'the whole fleet is looked at: name no plant');
    const checkedAt = new Date().toISOString();
    const { inspections, findings } = await withLook(context.config(), (look) =>
      inspect(components, look),
    );
    if (context.json)
      writeJson(context.io, {
        checked_at: checkedAt,
        ...Object.assign({}, ...inspections.map(({ counts }) => counts)),
        findings: findings.map(({ kind, component, facts, sentence }) => ({
          kind: kind ?? component,
          plant_id: null,
          at: null,
          ...facts,
          sentence,
        })),
      });
    else {
      const summaries = inspections.map(({ summary }) => `${summary}\n`).join('');
      const count =
        findings.length === 0 ? 'nothing is found' : counted(findings.length, 'finding');
      context.io.stdout.write(`${summaries}${count}\n${findingsText(findings)}`);
    }
    return findings.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};
