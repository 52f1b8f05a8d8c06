import { expect, test } from 'vitest';

import { workflowLink } from './links.ts';

test.each([
  ['http://127.0.0.1:8233', 'http://127.0.0.1:8233'],
  ['http://127.0.0.1:8233/', 'http://127.0.0.1:8233'],
  ['https://example.org/temporal', 'https://example.org/temporal'],
  ['https://example.org/temporal/', 'https://example.org/temporal'],
])('a link below %s keeps its path', (webUi, base) => {
  expect(workflowLink(webUi, 'solar eu', 'poll:plant:a/b:latest')).toBe(
    `${base}/namespaces/solar%20eu/workflows/poll%3Aplant%3Aa%2Fb%3Alatest`,
  );
});

test('without a Web UI there is no link', () => {
  expect(workflowLink(null, 'default', 'poll:plant:a:latest')).toBeNull();
});
