import { describe, expect, test } from 'vitest';
import type { TransportRequest } from '../transport.ts';
import { signedHeaders } from '../solis/signing.ts';
import { solisVendor } from './solis.ts';

const now = new Date('2026-06-11T12:00:00Z');
const key = { keyId: '1300386381676', keySecret: 'secret' };
const path = '/v1/api/stationDetail';
const body = '{"id":"1298491919448631801"}';

function statusOf(changed: Partial<TransportRequest>, at = now): number | null {
  const request: TransportRequest = {
    method: 'POST',
    url: `https://www.soliscloud.com:13333${path}`,
    headers: signedHeaders(key, path, body, at.toUTCString()),
    body,
    ...changed,
  };
  return solisVendor.check(request, { knownCredentials: key, now })?.status ?? null;
}

const signed = (changed: Record<string, string>): Partial<TransportRequest> => ({
  headers: { ...signedHeaders(key, path, body, now.toUTCString()), ...changed },
});

describe("SolisCloud's side", () => {
  test('lets a request through that is signed by the known key', () => {
    expect(statusOf({})).toBeNull();
  });

  test.each([
    ['another body', { body: `${body} ` }],
    ['another path', { url: 'https://www.soliscloud.com:13333/v1/api/stationMonth' }],
    [
      'another MD5 beside the right signature',
      signed({ 'Content-MD5': 'kxdxk7rbAsrzSIWgEwhH4w==' }),
    ],
    ['another content type', signed({ 'Content-Type': 'application/json;charset=UTF-8' })],
    [
      'another key',
      { headers: signedHeaders({ ...key, keyId: '2' }, path, body, now.toUTCString()) },
    ],
    [
      'another secret',
      { headers: signedHeaders({ ...key, keySecret: 's' }, path, body, now.toUTCString()) },
    ],
  ])('refuses %s with HTTP 403', (_, changed) => {
    expect(statusOf(changed)).toBe(403);
  });

  test('takes a date that is 15 min off either way, and answers 408 to one second more', () => {
    for (const sign of [-1, 1]) {
      expect(statusOf({}, new Date(now.getTime() + sign * 900_000))).toBeNull();
      expect(statusOf({}, new Date(now.getTime() + sign * 901_000))).toBe(408);
    }
    expect(statusOf({ headers: {} })).toBe(408);
  });

  test('speaks POST only', () => {
    expect(statusOf({ method: 'GET' })).toBe(405);
  });

  test.each([
    ['{"id":"1298491919448631801"}', '1298491919448631801'],
    ['{"stationId":42}', '42'],
    ['{"pageNo":1}', null],
    ['no JSON', null],
  ])('knows which plant %s asks for', (text, vendorPlantId) => {
    expect(solisVendor.plantIdOf({ method: 'POST', url: '', headers: {}, body: text })).toBe(
      vendorPlantId,
    );
  });
});
