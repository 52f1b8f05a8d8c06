import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A real Modbus TCP server on loopback that answers as told: rightly unless a script says otherwise. */

export interface PeerRequest {
  transactionId: number;
  unitId: number;
  function: number;
  address: number;
  count: number;
  /** All twelve bytes. */
  bytes: Buffer;
  /** From 1, over all connections. */
  nth: number;
  /** From 1: which connection it came on. */
  connection: number;
}

/** What the peer does with a request: sends bytes, or whatever it does to the socket. */
export type Reply = (request: PeerRequest, socket: Socket, peer: Peer) => Buffer | void;

export interface Peer {
  port: number;
  /** What was asked, in order. */
  requests: PeerRequest[];
  /** How many connections were made. */
  connections: number;
  /** Those that are open. */
  sockets: Set<Socket>;
  /** Registers and coils by unit and address; what is missing is 0. */
  registers: Map<string, number>;
  /** Replaces the answer to all requests from now on. */
  reply: Reply;
  /** Registers from an address on, for every unit unless one is named. */
  set(address: number, values: readonly number[], unitId?: number): void;
  close(): Promise<void>;
}

/** Frame with a header: the length follows from the body unless given. */
export function frame(
  transactionId: number,
  body: readonly number[] | Buffer,
  { protocol = 0, length = body.length }: { protocol?: number; length?: number } = {},
): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt16BE(transactionId, 0);
  header.writeUInt16BE(protocol, 2);
  header.writeUInt16BE(length, 4);
  return Buffer.concat([header, Buffer.from(body)]);
}

/** An answer with these registers. */
export function registersAnswer(request: PeerRequest, values: readonly number[]): Buffer {
  const bytes = values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff]);
  return frame(request.transactionId, [request.unitId, request.function, bytes.length, ...bytes]);
}

/** An exception. */
export function exceptionAnswer(request: PeerRequest, code: number): Buffer {
  return frame(request.transactionId, [request.unitId, request.function | 0x80, code]);
}

/** The right answer. */
export function rightAnswer(request: PeerRequest, peer: Pick<Peer, 'registers'>): Buffer {
  const at = (address: number): number =>
    peer.registers.get(`${request.unitId}/${address}`) ?? peer.registers.get(`${address}`) ?? 0;
  const values = Array.from({ length: request.count }, (_, index) => at(request.address + index));
  if (request.function > 2) return registersAnswer(request, values);
  const bytes = Array.from({ length: Math.ceil(request.count / 8) }, (_, byte) =>
    values.slice(byte * 8, byte * 8 + 8).reduce((all, bit, index) => all | ((bit & 1) << index), 0),
  );
  return frame(request.transactionId, [request.unitId, request.function, bytes.length, ...bytes]);
}

/** Answers rightly. */
export const rightly: Reply = (request, _socket, peer) => rightAnswer(request, peer);

/** Answers the requests in turn as told; the last way holds for all that follow. */
export function inTurn(...replies: readonly Reply[]): Reply {
  let next = 0;
  return (request, socket, peer) => {
    const reply = replies[Math.min(next, replies.length - 1)] as Reply;
    next += 1;
    return reply(request, socket, peer);
  };
}

/** Starts a peer; `onConnect` runs for each connection. */
export async function startPeer(
  reply: Reply = rightly,
  onConnect: (socket: Socket, peer: Peer) => void = () => {},
): Promise<Peer> {
  const peer: Peer = {
    port: 0,
    requests: [],
    connections: 0,
    sockets: new Set(),
    registers: new Map(),
    reply,
    set(address, values, unitId) {
      for (const [index, value] of values.entries())
        peer.registers.set(`${unitId === undefined ? '' : `${unitId}/`}${address + index}`, value);
    },
    close: () => {
      for (const socket of peer.sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  const server = createServer((socket) => {
    peer.connections += 1;
    const connection = peer.connections;
    peer.sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= 12; rest = rest.subarray(12)) {
        const request = readRequest(rest.subarray(0, 12), peer.requests.length + 1, connection);
        peer.requests.push(request);
        const answer = peer.reply(request, socket, peer);
        if (answer !== undefined && !socket.destroyed) socket.write(answer);
      }
    });
    // The client may reset the connection: that is what the tests are about.
    socket.on('error', () => {});
    socket.on('close', () => peer.sockets.delete(socket));
    onConnect(socket, peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  peer.port = (server.address() as { port: number }).port;
  return peer;
}

function readRequest(bytes: Buffer, nth: number, connection: number): PeerRequest {
  return {
    transactionId: bytes.readUInt16BE(0),
    unitId: bytes.readUInt8(6),
    function: bytes.readUInt8(7),
    address: bytes.readUInt16BE(8),
    count: bytes.readUInt16BE(10),
    bytes: Buffer.from(bytes),
    nth,
    connection,
  };
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
