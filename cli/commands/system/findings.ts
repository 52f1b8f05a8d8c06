import { askRedis } from '../../../db/lock.ts';
import type { Config } from '../../../environment/config.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import { createLook, type Finding, type Look } from '../../../operations/diagnosis.ts';
import { visibleText } from '../../render.ts';
import { indented } from '../../table.ts';

/** The diagnosis at the terminal: on the services that the environment names, and its findings as text. */

/** A list of ten thousand loops takes Temporal some seconds. */
const answerMsMax = 60_000;

/** @throws CommandError 69 for PostgreSQL or Temporal away, from the start or meanwhile. */
export async function withLook<Seen>(
  config: Config,
  see: (look: Look) => Promise<Seen>,
): Promise<Seen> {
  const redisUrl = config.REDIS_URL;
  const askIt = redisUrl === undefined ? null : () => askRedis(redisUrl);
  const db = await connectDatabase(config);
  try {
    return await withTemporal(config, (temporal) =>
      see(createLook({ db, temporal, askRedis: askIt, clock: Date.now }, answerMsMax)),
    );
  } finally {
    await db.destroy();
  }
}

/** So many findings of a kind are listed for people; `--json` has them all. */
const listedMax = 20;

/** The findings of each kind, and what to do about them. */
export function findingsText(findings: readonly Finding[]): string {
  const kinds = Map.groupBy(findings, ({ kind, component }) => kind ?? component);
  const sections = [...kinds].map(([kind, ofKind]) => {
    const lines = ofKind.slice(0, listedMax).map(({ facts, sentence }) => {
      const about = Object.values(facts ?? {})
        .filter((part) => part !== null)
        .join(' ');
      return `${visibleText(about === '' ? sentence : `${about}: ${sentence}`)}\n`;
    });
    const more = ofKind.length > listedMax ? `… and ${ofKind.length - listedMax} more\n` : '';
    const advice = ofKind[0]?.advice;
    return `\n${kind}\n${indented(`${lines.join('')}${more}${advice === undefined ? '' : `→ ${advice}\n`}`)}`;
  });
  return sections.join('');
}
