import { expect, test } from 'vitest';

import type { About, Finding, State } from '../../../operations/diagnosis.ts';
import { exitCodeOf } from './findings.ts';

test('the exit code is that of the system: what fails in the fleet is named, and is no failure of the command', () => {
  const finding = (about: About, state: State): Finding => ({
    component: 'c',
    part: 'c',
    about,
    state,
    sentence: 's',
    takenAtMs: 0,
  });
  expect(exitCodeOf([])).toBe(0);
  expect(exitCodeOf([finding('SYSTEM', 'ok'), finding('FLEET', 'down')])).toBe(0);
  expect(exitCodeOf([finding('SYSTEM', 'degraded'), finding('FLEET', 'ok')])).toBe(1);
});
