import { expect, test } from 'vitest';

import { systemComponents } from './components.ts';

test('the system tells of itself, and leaves what fails in the fleet to alerts and incidents', () => {
  const names = systemComponents.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['postgres', 'polling', 'notifications', 'disk']));
  expect(names.filter((name) => ['incidents', 'accounts', 'plants'].includes(name))).toEqual([]);
});
