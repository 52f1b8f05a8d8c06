import { expect, test } from 'vitest';
import { signedHeaders } from './signing.ts';

test('MD5 is taken of the exact body (example of the manual)', () => {
  const key = { keyId: '1', keySecret: '2' };
  const headers = signedHeaders(key, '/v1/api/userStationList', '{"pageNo":1,"pageSize":10}', '');
  expect(headers['Content-MD5']).toBe('kxdxk7rbAsrzSIWgEwhH4w==');
});

test('a whole request is signed as public clients sign it', () => {
  const key = { keyId: '1234567891234567890', keySecret: 'DEADBEEF'.repeat(4) };
  const date = new Date('2023-01-01T00:00:00Z').toUTCString();
  expect(signedHeaders(key, 'TEST', '{"pageNo":1,"pageSize":100}', date)).toEqual({
    'Content-Type': 'application/json',
    'Content-MD5': 'U0Xj//qmRi3zoyapfAAuXw==',
    Date: 'Sun, 01 Jan 2023 00:00:00 GMT',
    Authorization: 'API 1234567891234567890:8+oYgqSEFjxPaHIOgUKSpIdYCGU=',
  });
});
