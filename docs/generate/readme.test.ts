import { expect, test } from 'vitest';

import { readReadme, withConfigurationTable } from './readme.ts';

test("the README's configuration table is the schema's (npm run gen)", () => {
  expect(readReadme()).toBe(withConfigurationTable(readReadme()));
});
