import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { frameOf, reactTo, type Request, takeRequests } from './answer.ts';
import { type Behaviour, behaviourAt, type Temper } from './behaviour.ts';
import type { Device } from './registers.ts';

/**
 * Simulated gateways as real Modbus TCP servers of one process, on loopback only. It knows nothing of who polls them, and
 * counts what they see: that is the truth of a bench.
 */

export interface FarmGateway {
  id: string;
  host: string;
  port: number;
  /** By unit id. */
  devices: ReadonlyMap<number, Device>;
  temper: Temper;
}

/** What a gateway has seen so far. */
export interface GatewayFigures {
  id: string;
  host: string;
  port: number;
  behaviour: Behaviour;
  requests: number;
  connections: number;
  /** Most connections at one moment: more than 1 means two masters. */
  connectionsMax: number;
  /** Requests that came while another one of the gateway had no answer yet. */
  overlapping: number;
  /** Epoch ms; null: none yet. */
  lastRequestAtMs: number | null;
}

export interface Farm {
  /** Makes a gateway behave in this way until an instant, ms. @throws RangeError for an unknown id. */
  break(id: string, behaviour: Behaviour, untilMs: number): void;
  /** Ends a `break`. @throws RangeError for an unknown id. */
  mend(id: string): void;
  figures(): GatewayFigures[];
  close(): Promise<void>;
}

export interface FarmOptions {
  gateways: readonly FarmGateway[];
  /**
   * EACH: a listening socket for each host and port. SHARED: one for all, which tells them apart by the address that was
   * dialled; all must have the same port and addresses of 127.0.0.0/8. EACH takes two descriptors a gateway with its
   * connection, so that 10,000 would need more than the 20,000 that a process usually may have; SHARED takes one.
   */
  listen: 'EACH' | 'SHARED';
  clock?: () => number;
  /** Sees each request as it comes. */
  onRequest?: (gatewayId: string, request: Request, atMs: number) => void;
}

interface Standing {
  gateway: FarmGateway;
  forced: { behaviour: Behaviour; untilMs: number } | null;
  figures: Omit<GatewayFigures, 'behaviour'>;
  /** When its minutes began to count; null: nobody has asked yet. */
  askedFirstAtMs: number | null;
  sockets: Set<Socket>;
  unanswered: number;
}

const idleMs = 2_000;
const dribbleMs = 5;
/** A flood pauses while the peer does not read. */
const floodFrames = 50;
const floodPauseMs = 5;
/** All gateways may be dialled at one instant. */
const backlog = 4_096;

/** Starts to listen. @throws the system's error where a port is taken. */
export async function startFarm(options: FarmOptions): Promise<Farm> {
  const clock = options.clock ?? Date.now;
  const byId = new Map<string, Standing>();
  const byAddress = new Map<string, Standing>();
  for (const gateway of options.gateways) {
    const standing = standingOf(gateway);
    byId.set(gateway.id, standing);
    byAddress.set(`${gateway.host}:${gateway.port}`, standing);
  }
  const behaviourOf = ({ forced, gateway, askedFirstAtMs }: Standing): Behaviour => {
    const nowMs = clock();
    if (forced !== null && nowMs < forced.untilMs) return forced.behaviour;
    return behaviourAt(gateway.temper, askedFirstAtMs ?? nowMs, nowMs);
  };
  const serve = (socket: Socket, standing: Standing | undefined) => {
    if (standing === undefined) return void socket.destroy();
    serveConnection(socket, standing, { clock, behaviourOf, onRequest: options.onRequest });
  };
  const servers = await listen(options, byAddress, serve);
  const find = (id: string): Standing => {
    const standing = byId.get(id);
    if (standing === undefined) throw new RangeError(`there is no simulated gateway ${id}`);
    return standing;
  };
  return {
    break(id, behaviour, untilMs) {
      const standing = find(id);
      standing.forced = { behaviour, untilMs };
      // Who is connected feels it at once.
      if (behaviour === 'HANGS_UP') for (const socket of standing.sockets) socket.destroy();
    },
    mend: (id) => void (find(id).forced = null),
    figures: () =>
      [...byId.values()].map((standing) => ({
        ...standing.figures,
        behaviour: behaviourOf(standing),
      })),
    async close() {
      for (const { sockets } of byId.values()) for (const socket of sockets) socket.destroy();
      await Promise.all(
        servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      );
    },
  };
}

function standingOf(gateway: FarmGateway): Standing {
  const { id, host, port } = gateway;
  return {
    gateway,
    forced: null,
    figures: {
      id,
      host,
      port,
      requests: 0,
      connections: 0,
      connectionsMax: 0,
      overlapping: 0,
      lastRequestAtMs: null,
    },
    askedFirstAtMs: null,
    sockets: new Set(),
    unanswered: 0,
  };
}

async function listen(
  { gateways, listen: how }: FarmOptions,
  byAddress: ReadonlyMap<string, Standing>,
  serve: (socket: Socket, standing: Standing | undefined) => void,
): Promise<Server[]> {
  const dialled = ({ localAddress, localPort }: Socket) => `${localAddress}:${localPort}`;
  const places =
    how === 'EACH'
      ? gateways.map(({ host, port }) => ({ host, port }))
      : // No address stands for all of 127.0.0.0/8: this one accepts more, and `serve` drops what was not dialled there.
        [{ host: '0.0.0.0', port: sharedPort(gateways) }];
  const servers = places.map(({ host, port }) => {
    const server = createServer({ noDelay: true }, (socket) =>
      serve(socket, byAddress.get(dialled(socket))),
    );
    return { server, listening: server.listen({ host, port, backlog, exclusive: true }) };
  });
  try {
    await Promise.all(servers.map(({ listening }) => once(listening, 'listening')));
  } catch (error) {
    for (const { server } of servers) server.close();
    throw error;
  }
  return servers.map(({ server }) => server);
}

function sharedPort(gateways: readonly FarmGateway[]): number {
  const ports = new Set(gateways.map(({ port }) => port));
  const [port] = ports;
  if (port === undefined || ports.size > 1)
    throw new Error('a farm with one listening socket needs one port for all its gateways');
  return port;
}

interface Service {
  clock: () => number;
  behaviourOf: (standing: Standing) => Behaviour;
  onRequest: FarmOptions['onRequest'];
}

function serveConnection(socket: Socket, standing: Standing, service: Service): void {
  const { figures, sockets } = standing;
  figures.connections += 1;
  sockets.add(socket);
  figures.connectionsMax = Math.max(figures.connectionsMax, sockets.size);
  let isOpen = true;
  let waiting = 0;
  let idle: NodeJS.Timeout | undefined;
  socket.on('close', () => {
    isOpen = false;
    clearTimeout(idle);
    sockets.delete(socket);
    standing.unanswered -= waiting;
    waiting = 0;
  });
  // Whoever polls may vanish at any moment: `close` follows.
  socket.on('error', () => {});
  if (service.behaviourOf(standing) === 'HANGS_UP') return void socket.destroy();
  let isFlooding = false;
  const floodOnce = () => {
    if (isFlooding || service.behaviourOf(standing) !== 'FLOODS') return;
    isFlooding = true;
    flood(socket, standing, service);
  };
  floodOnce();
  let received: Buffer = Buffer.alloc(0);
  const done = () => {
    if (!isOpen) return;
    waiting -= 1;
    standing.unanswered -= 1;
  };
  socket.on('data', (bytes) => {
    clearTimeout(idle);
    const taken = takeRequests(received.length === 0 ? bytes : Buffer.concat([received, bytes]));
    if (taken === null) return void socket.destroy();
    received = taken.rest;
    floodOnce();
    for (const request of taken.requests) {
      waiting += 1;
      standing.unanswered += 1;
      handle(socket, standing, request, { ...service, done });
    }
    if (service.behaviourOf(standing) === 'CLOSES_IDLE')
      idle = setTimeout(() => socket.end(), idleMs);
  });
}

function handle(
  socket: Socket,
  standing: Standing,
  request: Request,
  service: Service & { done: () => void },
): void {
  const { figures, gateway } = standing;
  const nowMs = service.clock();
  standing.askedFirstAtMs ??= nowMs;
  figures.requests += 1;
  figures.lastRequestAtMs = nowMs;
  if (standing.unanswered > 1) figures.overlapping += 1;
  service.onRequest?.(gateway.id, request, nowMs);
  const reaction = reactTo(request, gateway.devices.get(request.unitId), {
    behaviour: service.behaviourOf(standing),
    refused: gateway.temper.refused,
    nowMs,
  });
  if (reaction.kind === 'SILENCE') return;
  if (reaction.kind === 'CLOSE') return void socket.end();
  const send = () => {
    if (reaction.isDribbled) void dribble(socket, reaction.frame).finally(service.done);
    else {
      if (socket.writable) socket.write(reaction.frame);
      service.done();
    }
  };
  if (reaction.afterMs === 0) send();
  else setTimeout(send, reaction.afterMs);
}

async function dribble(socket: Socket, frame: Buffer): Promise<void> {
  for (const byte of frame) {
    if (!socket.writable) return;
    socket.write(Buffer.of(byte));
    await delay(dribbleMs);
  }
}

/** Frames with ids that nobody used, until the connection ends or the gateway behaves again. */
function flood(socket: Socket, standing: Standing, service: Service): void {
  const frame = frameOf({ transaction: 0xdead, unitId: 1, function: 3 }, Buffer.alloc(8));
  const many = Buffer.concat(Array.from({ length: floodFrames }, () => frame));
  const more = () => {
    if (!socket.writable || service.behaviourOf(standing) !== 'FLOODS') return;
    if (socket.write(many)) setTimeout(more, floodPauseMs);
    else socket.once('drain', () => setTimeout(more, floodPauseMs));
  };
  more();
}
