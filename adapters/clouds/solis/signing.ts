import { createHash, createHmac } from 'node:crypto';

/** What SolisCloud signs and expects as header, letter for letter. */
export const contentType = 'application/json';

export interface SigningKey {
  keyId: string;
  keySecret: string;
}

/**
 * The headers that make a POST to SolisCloud a signed one (SolisCloud Platform API Document V2.0, "API signature"):
 * `Authorization: API keyId:base64(HMAC-SHA1(secret, "POST\nmd5\ntype\ndate\npath"))` over the MD5 of the exact body.
 *
 * @param path Below the host, such as `/v1/api/stationDetail`.
 * @param date As RFC 1123 in GMT; SolisCloud refuses one that is more than 15 minutes off with HTTP 408.
 */
export function signedHeaders(
  key: SigningKey,
  path: string,
  body: string,
  date: string,
): Readonly<Record<string, string>> {
  const contentMd5 = createHash('md5').update(body).digest('base64');
  const signature = createHmac('sha1', key.keySecret)
    .update(['POST', contentMd5, contentType, date, path].join('\n'))
    .digest('base64');
  return {
    'Content-Type': contentType,
    'Content-MD5': contentMd5,
    Date: date,
    Authorization: `API ${key.keyId}:${signature}`,
  };
}
