import { expect, test } from 'vitest';

import { generateOpenApi, readOpenApi } from './openapi.ts';

test("docs/openapi.json is the routes' (npm run gen)", async () => {
  expect(readOpenApi()).toBe(await generateOpenApi());
});
