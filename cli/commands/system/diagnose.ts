import { setTimeout as sleep } from 'node:timers/promises';

import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { components } from '../../../operations/components.ts';
import { createLook } from '../../../operations/diagnosis.ts';
import type { FixServices } from '../../../operations/fixer.ts';
import { makeFixes, type Planned, planFixes } from '../../../operations/fixers.ts';
import {
  type DiagnosticResult,
  diagnoseWhole,
  type Issue,
  type WholeDiagnosis,
} from '../../../operations/results.ts';
import { noPositionals, readZone } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { print, visibleText, writeJson } from '../../render.ts';
import { indented, section } from '../../table.ts';
import { agree } from '../plants/selected-plants.ts';
import { withSystem } from './services.ts';

/** `heliograph diagnose`: what is wrong and why, part by part; `--fix` mends what may be mended. */
export const diagnose: Command = {
  name: 'diagnose',
  usage: '[--fix [--yes]] [--json]',
  switches: ['fix', 'yes'],
  async run(context) {
    noPositionals(context, 'the command looks at the whole system: name nothing');
    const isFix = context.switches.has('fix');
    if (isFix && context.json && !context.switches.has('yes'))
      throw usageError(context, '--fix --json does not ask: add --yes');
    return withSystem(context.config(), async (services) => {
      const before = await look(context, services);
      if (isFix) return fix(context, services, before);
      print(context, before, () => diagnosisText(before));
      return exitCodeOf(before);
    });
  },
};

/** Time limit of one answer: Temporal takes some seconds to list ten thousand loops. */
const answerMsMax = 60_000;

function look(context: CommandContext, services: FixServices): Promise<WholeDiagnosis> {
  return diagnoseWhole(components, createLook(services, answerMsMax), readZone(context));
}

function exitCodeOf({ status }: WholeDiagnosis): number {
  return status === 'healthy' ? exitCodes.done : exitCodes.failed;
}

/** Time for what was mended to take effect, before the diagnosis runs again. */
const settleMsMax = 10_000;
const settlePauseMs = 500;

/** Shows the diagnosis and the repairs, asks, repairs, and diagnoses again. */
async function fix(
  context: CommandContext,
  services: FixServices,
  before: WholeDiagnosis,
): Promise<number> {
  const fixes = await planFixes(services);
  const repairs = fixes.map(({ repair }) => repair);
  if (!context.json) context.io.stdout.write(`${diagnosisText(before)}\n${fixesText(fixes)}`);
  if (fixes.length === 0) {
    if (context.json)
      writeJson(context.io, { before, repairs, repaired: { done: 0, needless: 0 }, after: before });
    return exitCodeOf(before);
  }
  await agree(context, `${counted(fixes.length, 'repair')} will be made`);
  const repaired = await makeFixes(fixes, services);
  await untilMended(services);
  const after = await look(context, services);
  if (context.json) writeJson(context.io, { before, repairs, repaired, after });
  else
    context.io.stdout.write(
      `\n${counted(repaired.done, 'repair')} made, ${repaired.needless} no longer needed\n\n${diagnosisText(after)}`,
    );
  return exitCodeOf(after);
}

/** Waits until nothing is left to mend, or the time is up: some repairs need a worker. */
async function untilMended(services: FixServices): Promise<void> {
  const endsAt = performance.now() + settleMsMax;
  while (performance.now() < endsAt) {
    if ((await planFixes(services)).length === 0) return;
    await sleep(settlePauseMs);
  }
}

function fixesText(fixes: readonly Planned[]): string {
  if (fixes.length === 0) return 'there is nothing that this command may mend\n';
  const lines = fixes.map(({ repair }) => `${visibleText(repair.sentence)}\n`);
  return `repairs, which touch no row of a ledger, no day and no alert:\n${indented(lines.join(''))}`;
}

/** Issues of one part that people see; `--json` has them all. */
const issuesShown = 20;

function diagnosisText({ status, results }: WholeDiagnosis): string {
  const well = results.filter((result) => result.status === 'healthy');
  const wrong = results.filter((result) => result.status !== 'healthy');
  const sections = wrong.map((result) => `${section(headOf(result), resultText(result))}\n`);
  const wellText = well.map(({ component, message }) => `${component}: ${visibleText(message)}\n`);
  const title =
    status === 'healthy' ? 'nothing is wrong' : `${counted(wrong.length, 'part')} not well`;
  return `${title}\n\n${sections.join('')}${section('healthy', wellText.join(''))}`;
}

const headOf = ({ component, status }: DiagnosticResult): string => `${component} (${status})`;

function resultText({
  message,
  details,
  recommendations,
  can_auto_fix: fixable,
}: DiagnosticResult) {
  const { issues } = details;
  const lines = issues.slice(0, issuesShown).map((issue) => `${issueText(issue)}\n`);
  const more =
    issues.length > issuesShown ? [`… and ${issues.length - issuesShown} more: --json\n`] : [];
  const advice = recommendations.map((text) => `→ ${text}\n`);
  const hint = fixable ? ['→ `heliograph diagnose --fix` can mend some of it.\n'] : [];
  return [`${visibleText(message)}\n`, ...lines, ...more, ...advice, ...hint].join('');
}

function issueText({ issue, plant_id: plantId, gateway_id: gatewayId, shard, message }: Issue) {
  const about = plantId ?? gatewayId ?? (shard === null ? null : `shard ${shard}`);
  return visibleText([issue, about, message].filter((part) => part !== null).join('  '));
}
