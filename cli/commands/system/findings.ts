import { type Config, exitCodes } from '../../../environment/config.ts';
import { createLook, type Finding, type Look } from '../../../operations/diagnosis.ts';
import { visibleText } from '../../render.ts';
import { section } from '../../table.ts';
import { withSystem } from './services.ts';

/** Runs the diagnosis on the configured services, and writes findings as text. */

/** Time limit of one answer: Temporal takes some seconds to list ten thousand loops. */
const answerMsMax = 60_000;

/** @throws CommandError 69 if PostgreSQL or Temporal is away or goes away. */
export async function withLook<Seen>(
  config: Config,
  see: (look: Look) => Promise<Seen>,
): Promise<Seen> {
  return withSystem(config, (services) => see(createLook(services, answerMsMax)));
}

/**
 * By the system alone, as the status code of `/health`: a vendor that is away is named, and is no failure of Heliograph.
 * Programs read the fleet's state from `--json`.
 */
export function exitCodeOf(findings: readonly Finding[]): number {
  const fails = findings.some(({ state, about }) => state !== 'ok' && about === 'SYSTEM');
  return fails ? exitCodes.failed : exitCodes.done;
}

/** Number of findings of a kind that people see; `--json` has them all. */
const listedMax = 20;

/** The findings of each kind, and what to do about them. */
export function findingsText(findings: readonly Finding[]): string {
  return groupedText(
    findings.map(({ kind, component, facts, sentence, advice }) => ({
      kind: kind ?? component,
      about: Object.values(facts ?? {}),
      sentence,
      advice,
    })),
    listedMax,
  );
}

interface Entry {
  kind: string;
  /** The subject and the time, as far as they are known. */
  about: readonly (string | null)[];
  sentence: string;
  advice: string | undefined;
}

/** One section for each kind: at most `shownMax` entries, and the advice of the first. */
export function groupedText(entries: readonly Entry[], shownMax = Infinity): string {
  const kinds = Map.groupBy(entries, ({ kind }) => kind);
  const sections = [...kinds].map(([kind, ofKind]) => {
    const lines = ofKind.slice(0, shownMax).map(({ about, sentence }) => {
      const subject = about.filter((part) => part !== null).join(' ');
      return `${visibleText(subject === '' ? sentence : `${subject}: ${sentence}`)}\n`;
    });
    const more = ofKind.length > shownMax ? `… and ${ofKind.length - shownMax} more\n` : '';
    const advice = ofKind[0]?.advice;
    const arrow = advice === undefined ? '' : `→ ${advice}\n`;
    return `\n${section(kind, `${lines.join('')}${more}${arrow}`)}`;
  });
  return sections.join('');
}
