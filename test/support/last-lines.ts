import { writeFileSync } from 'node:fs';

import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

/**
 * Says at a run's end what must not get lost in its output: each test that was retried, with what failed first, and in the file
 * `countsFile`, where one is given, the same lines with `N passed, N failed` below them. `.ci/run` closes with that file.
 *
 * @example
 * retried: service  api/auth.service.test.ts > a session > ends  (passed in attempt 2)
 *     failed first: AssertionError: expected 401 to be 200
 */
export class LastLines implements Reporter {
  readonly #countsFile: string | undefined;

  constructor(countsFile: string | undefined) {
    this.#countsFile = countsFile;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const retried = tests.flatMap(retryLines);
    if (retried.length > 0) process.stdout.write(`\n${retried.join('\n')}\n`);
    if (this.#countsFile === undefined) return;
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const failed = count('failed') + modules.filter(isBroken).length + unhandledErrors.length;
    const skipped = count('skipped');
    const counts =
      `${count('passed')} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : '');
    writeFileSync(this.#countsFile, [...retried, counts, ''].join('\n'));
  }
}

function retryLines(test: TestCase): string[] {
  const retries = test.diagnostic()?.retryCount ?? 0;
  if (retries === 0) return [];
  const { state, errors = [] } = test.result();
  const [first] = errors;
  const said = (first?.message ?? 'an error that was not reported').split('\n')[0];
  return [
    `retried: ${test.project.name}  ${test.module.relativeModuleId} > ${test.fullName}  (${state} in attempt ${retries + 1})`,
    `    failed first: ${first?.name ?? 'Error'}: ${said}`,
  ];
}

/** Failed without a failed test: the file could not be loaded, or a hook of it threw. */
function isBroken(module: TestModule): boolean {
  return module.state() === 'failed' && module.children.allTests('failed').next().done === true;
}
