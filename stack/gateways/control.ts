import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { type Behaviour, behaviours, isBehaviour } from './behaviour.ts';
import type { Farm } from './farm.ts';

/** How another process tells a farm what to do: HTTP on loopback. `startControl` serves, the other functions ask. */

/** A larger body is no order. */
const bodyBytesMax = 4_096;
const breakMsMax = 24 * 3_600_000;

export interface Control {
  url: string;
  close(): Promise<void>;
}

/** What `GET /gateways` gives of each gateway. */
export interface ControlFigures {
  id: string;
  host: string;
  port: number;
  behaviour: Behaviour;
  requests: number;
  connections: number;
  connections_max: number;
  overlapping: number;
  last_request_at: string | null;
}

class BadOrder extends Error {}

/** Serves `GET /gateways`, `POST /gateways/ID` with `{"behaviour", "for_ms"}` and `DELETE /gateways/ID`. @param port 0 takes a free one. */
export async function startControl(farm: Farm, port: number): Promise<Control> {
  const server = createServer((request, response) => {
    obey(farm, request).then(
      (result) => answer(response, 200, result),
      (error: unknown) => {
        const isTheirs = error instanceof BadOrder || error instanceof RangeError;
        answer(response, isTheirs ? 400 : 500, {
          error: error instanceof Error ? error.message : String(error),
        });
      },
    );
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function obey(farm: Farm, request: IncomingMessage): Promise<unknown> {
  const { method = '', url = '' } = request;
  const [, id] = /^\/gateways(?:\/([\w.-]+))?$/.exec(url) ?? [null];
  if (id === null) throw new BadOrder('only /gateways and /gateways/ID are known');
  if (method === 'GET' && id === undefined) return farm.figures().map(figuresJson);
  if (id === undefined) throw new BadOrder('name a gateway: /gateways/ID');
  if (method === 'DELETE') {
    farm.mend(id);
    return { id };
  }
  if (method !== 'POST') throw new BadOrder(`${method} is not known`);
  const { behaviour, forMs } = readOrder(await readBody(request));
  farm.break(id, behaviour, Date.now() + forMs);
  return { id };
}

function figuresJson(figures: ReturnType<Farm['figures']>[number]): ControlFigures {
  const { connectionsMax, lastRequestAtMs, ...rest } = figures;
  return {
    ...rest,
    connections_max: connectionsMax,
    last_request_at: lastRequestAtMs === null ? null : new Date(lastRequestAtMs).toISOString(),
  };
}

function readOrder(text: string): { behaviour: Behaviour; forMs: number } {
  let order: { behaviour?: unknown; for_ms?: unknown } | null;
  try {
    order = JSON.parse(text) as typeof order;
  } catch {
    throw new BadOrder('the body must be JSON');
  }
  const behaviour = String(order?.behaviour);
  const forMs = Number(order?.for_ms);
  if (!isBehaviour(behaviour))
    throw new BadOrder(`behaviour must be one of ${behaviours.join(', ')}, not ${behaviour}`);
  if (!(forMs > 0 && forMs <= breakMsMax))
    throw new BadOrder(`for_ms must be from 1 to ${breakMsMax}`);
  return { behaviour, forMs };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new BadOrder('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Makes a gateway of another process's farm behave in this way. @throws Error of one sentence. */
export async function orderBreak(
  url: string,
  id: string,
  order: { behaviour: Behaviour; forMs: number },
): Promise<void> {
  const body = JSON.stringify({ behaviour: order.behaviour, for_ms: order.forMs });
  await ask(`${url}/gateways/${id}`, { method: 'POST', body });
}

/** Ends it. @throws Error of one sentence. */
export async function orderMend(url: string, id: string): Promise<void> {
  await ask(`${url}/gateways/${id}`, { method: 'DELETE' });
}

/** What the gateways of another process's farm have seen. @throws Error of one sentence. */
export async function readFarmFigures(url: string): Promise<ControlFigures[]> {
  return (await ask(`${url}/gateways`, { method: 'GET' })) as ControlFigures[];
}

async function ask(url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    throw new Error(`the simulated gateways do not answer at ${new URL(url).origin}`, { cause });
  }
  const result = (await response.json()) as { error?: string };
  if (!response.ok) throw new Error(result.error ?? `the answer was ${response.status}`);
  return result;
}
