import { nearestWord } from '../domain/nearest-word.ts';
import { environmentSchema, temporalVariables } from './config.ts';
import type { Log } from './log.ts';

/** Finds variables that look like ours and mean nothing to us, such as one with a slip of the pen. */

export interface UnknownVariable {
  name: string;
  /** The variable that may be meant; null: none is like it. */
  nearest: string | null;
}

const ours = Object.keys(environmentSchema.shape);
const known: ReadonlySet<string> = new Set(
  [...ours, ...temporalVariables].flatMap((name) => [name, `${name}_FILE`]),
);
/** Variables of Temporal's tools and of our own tests and stack, and those that Kubernetes sets for each service. */
const others =
  /^(?:TEMPORAL_(?:TLS|PROFILE|CONFIG_FILE|CLI_|CODEC_|DOWNLOAD|UI_HOST|GRPC_META_)|HELIOGRAPH_(?:CHAOS|LAST_LINES))|_SERVICE_(?:HOST|PORT)|_PORT_\d+_/;
/** A name so few changes away from one of ours is a slip of it, whatever it begins with. */
const slipMax = 2;
const stemLengthMin = 5;

const wordsOf = (name: string) => name.split('_');
/** A name without its last word: `REDIS_` of REDIS_URL. */
const prefixes = ours.map((name) => `${wordsOf(name).slice(0, -1).join('_')}_`);
const stems = ours.map((name) => wordsOf(name)[0] ?? '');

/** Whether the first word begins like the first word of one of our names, or goes on from it: metric and metrics. */
function hasOurStem(name: string): boolean {
  const [first = ''] = wordsOf(name);
  return (
    first.length >= stemLengthMin &&
    stems.some(
      (stem) => stem.length >= stemLengthMin && (stem.startsWith(first) || first.startsWith(stem)),
    )
  );
}

export function findUnknownVariables(env: NodeJS.ProcessEnv): UnknownVariable[] {
  return Object.keys(env)
    .filter((name) => !known.has(name) && !others.test(name))
    .toSorted()
    .flatMap((name): UnknownVariable[] => {
      const nearest = nearestWord(name.replace(/^HELIOGRAPH_|_FILE$/g, ''), ours);
      const changes = nearest?.changes ?? Infinity;
      const isOurs =
        changes <= slipMax ||
        hasOurStem(name) ||
        prefixes.some((prefix) => name.startsWith(prefix));
      const isLike = changes <= name.length / 2;
      return isOurs ? [{ name, nearest: isLike && nearest !== null ? nearest.word : null }] : [];
    });
}

/** Warns of each at the start of a process that runs for long. */
export function warnOfUnknownVariables(env: NodeJS.ProcessEnv, log: Log): void {
  for (const { name, nearest } of findUnknownVariables(env))
    log.warn({ variable: name, nearest }, 'a variable has no meaning here and is ignored');
}
