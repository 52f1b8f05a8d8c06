import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Projects whose files last longest, longest first; those that are not named come last. */
const order = ['system', 'browser', 'stack', 'service', 'replay'];

/**
 * Starts the files that wait for minutes first, and lets those that compute fill the places beside them: the other way round
 * the last files would wait alone. Within a project vitest's own order holds: what lasted longest in the run before, else the
 * largest file.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) =>
      order.includes(project.name) ? order.indexOf(project.name) : order.length;
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
