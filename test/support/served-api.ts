import { type Agent, request as httpRequest } from 'node:http';

import { expect } from 'vitest';

import { issueSession } from '../../api/auth/tokens.ts';
import { serveApp } from '../../cli/api.ts';
import { openDatabase } from '../../db/database.ts';
import { findUserByEmail } from '../../db/people/users.ts';
import { createApiFleet, type ApiFleet } from './api-fleet.ts';
import type { createTestApi } from './api.ts';
import { createTestDatabase } from './database.ts';

/** One request as it goes over the wire; nothing is added to it or normalised, unlike with `fetch`. */
export interface WireRequest {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Keeps connections; without one each request opens its own. */
  agent?: Agent;
}

export interface WireAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** The API on a port of this machine, over the two plants of `createApiFleet`, with the pools that the product has. */
export interface ServedApi extends ApiFleet {
  url: string;
  databaseUrl: string;
  send(request: WireRequest): Promise<WireAnswer>;
  /** The cookie of a session of this user, and the headers of a browser on one of our pages. */
  browser(email: string): Promise<Record<string, string>>;
  close(): Promise<void>;
}

export async function serveTestApi(
  given: Parameters<typeof createTestApi>[0] = {},
): Promise<ServedApi> {
  const database = await createTestDatabase();
  const readDb = openDatabase({ url: database.url, poolSize: 5 });
  const fleet = await createApiFleet({ ...given, db: database.db, readDb });
  const { api } = fleet;
  const served = await serveApp(api.app, { host: '127.0.0.1', port: 0 });
  const { port } = new URL(served.url);
  return {
    ...fleet,
    url: served.url,
    databaseUrl: database.url,
    send: (request) => send(Number(port), request),
    async browser(email) {
      const user = await findUserByEmail(api.db, email);
      if (user === undefined) throw new Error(`there is no user ${email}`);
      const who = { userId: user.id, sessionVersion: user.session_version };
      const session = await issueSession(api.deps, who, api.deps.clock());
      return {
        accept: 'text/html',
        cookie: `heliograph=${session}`,
        'sec-fetch-site': 'same-origin',
      };
    },
    async close() {
      await served.stop();
      await readDb.destroy();
      await api.close();
      await database.drop();
    },
  };
}

function send(port: number, { method = 'GET', path, headers, body, agent }: WireRequest) {
  return new Promise<WireAnswer>((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port, method, path, headers: headers ?? {}, agent: agent ?? false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The body and the content type of a form. */
export function formOf(fields: Record<string, string>): { body: string; type: string } {
  return {
    body: new URLSearchParams(fields).toString(),
    type: 'application/x-www-form-urlencoded',
  };
}

/** What every answer has, whatever was asked. */
export function expectSecurityHeaders({ headers }: WireAnswer, what?: string): void {
  expect(headers, what).toMatchObject({
    'content-security-policy': expect.stringContaining("default-src 'none'"),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'x-request-id': expect.any(String),
  });
}
