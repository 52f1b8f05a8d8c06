import type { ApiDeps } from '../deps.ts';
import { keptFor } from '../kept.ts';
import { components } from '../../operations/components.ts';
import { createLook, diagnose, type Diagnosis } from '../../operations/diagnosis.ts';

/** The diagnosis as the API shows it: public, and asked every few seconds by everybody. */

/** However many ask: each service is asked at most once in this long. */
const keptMs = 2_000;
/** A service that does not answer in this long counts as away. */
const answerMsMax = 3_000;

export interface HealthReader {
  read(): Promise<Diagnosis>;
}

export function createHealth(deps: ApiDeps): HealthReader {
  const onAway = (error: unknown) =>
    // The answer is public and says only that it is away; why is for the log.
    deps.log.debug(
      { error: error instanceof Error ? error.name : 'unknown' },
      'a health check failed',
    );
  return {
    read: keptFor(keptMs, () => diagnose(components, createLook(deps, answerMsMax, onAway))),
  };
}
