import type { PlantWarning } from '../../../domain/plants/plausible.ts';
import type { CommandContext } from '../../command.ts';
import { flagName } from '../../plant-fields.ts';
import { visibleText } from '../../render.ts';

/** Settings of plants that look wrong, as lines for the person at the terminal. With `--json` they are in the document. */

/** Lines that are shown; a file with more has one mistake in many lines. */
const linesShown = 50;

export function warningLines(warnings: readonly PlantWarning[]): string[] {
  return warnings.map(({ field, warning }) => `${flagName(field)} ${visibleText(warning)}`);
}

export function printWarnings({ io, json }: CommandContext, lines: readonly string[]): void {
  if (json) return;
  for (const line of lines.slice(0, linesShown)) io.stderr.write(`warning: ${line}\n`);
  if (lines.length > linesShown)
    io.stderr.write(`and ${lines.length - linesShown} more warnings\n`);
}
