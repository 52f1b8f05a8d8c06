import type { ApiDeps } from '../deps.ts';
import { keptFor } from '../kept.ts';
import { components } from '../../operations/components.ts';
import type { ReaderZone } from '../../domain/zone.ts';
import { createLook, diagnose, type Diagnosis } from '../../operations/diagnosis.ts';

/** The diagnosis as the API shows it: public, and asked for every few seconds by many clients. */

/** The services are asked at most once in this time, ms. */
const keptMs = 2_000;
/** A service that does not answer within this time counts as away, ms. */
const answerMsMax = 3_000;

/** @param zone whose clock the times of the sentences follow. */
export type ReadHealth = (zone?: ReaderZone) => Promise<Diagnosis>;

export function createHealth(deps: ApiDeps): ReadHealth {
  const onAway = (error: unknown) =>
    // The public answer says only that a service is away; the log says why.
    deps.log.debug(
      { error: error instanceof Error ? error.name : 'unknown' },
      'a health check failed',
    );
  // Readers of different zones share what the services said.
  const readFacts = keptFor(keptMs, async () => {
    const look = createLook(deps, answerMsMax, onAway);
    await diagnose(components, look);
    return look;
  });
  return async (zone = null) => diagnose(components, await readFacts(), zone);
}
