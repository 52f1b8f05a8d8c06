import type { ApiDeps } from '../deps.ts';
import { keptFor } from '../kept.ts';
import { components } from '../../operations/components.ts';
import { createLook, diagnose, type Diagnosis } from '../../operations/diagnosis.ts';

/** The diagnosis as the API shows it: public, and asked for every few seconds by many clients. */

/** The services are asked at most once in this time, ms. */
const keptMs = 2_000;
/** A service that does not answer within this time counts as away, ms. */
const answerMsMax = 3_000;

export type ReadHealth = () => Promise<Diagnosis>;

export function createHealth(deps: ApiDeps): ReadHealth {
  const onAway = (error: unknown) =>
    // The public answer says only that a service is away; the log says why.
    deps.log.debug(
      { error: error instanceof Error ? error.name : 'unknown' },
      'a health check failed',
    );
  return keptFor(keptMs, () => diagnose(components, createLook(deps, answerMsMax, onAway)));
}
