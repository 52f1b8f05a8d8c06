import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

import { localhostCertificate, localhostKey } from './localhost-certificate.ts';

/** Real mail servers on loopback, some of which misbehave. */

export interface ReceivedMail {
  from: string;
  to: string[];
  /** As it came, headers and body. */
  raw: string;
}

export interface MailServer {
  port: number;
  received: ReceivedMail[];
  /** The certificate authority of a server with TLS. */
  ca: string;
  close(): Promise<void>;
}

/** A refusal with a code of SMTP. */
export function smtpRefusal(responseCode: number, message = 'no'): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** A mail server that takes every mail, but for what `options` refuses. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const server = new SMTPServer({
    key: localhostKey,
    cert: localhostCertificate,
    disabledCommands: options.onAuth === undefined ? ['AUTH'] : [],
    authOptional: options.onAuth === undefined,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
        });
        callback();
      });
    },
    ...options,
  });
  // A client that leaves in the middle is what some tests do.
  server.on('error', () => {});
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return {
    port: (listening.address() as { port: number }).port,
    received,
    ca: localhostCertificate,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A server that speaks SMTP by a script: for each line that it gets, what it answers; `HANG` says nothing, `CLOSE` hangs up. */
export async function startScriptedServer(
  answer: (line: string) => string,
): Promise<{ port: number; lines: string[]; close(): Promise<void> }> {
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write('220 scripted\r\n');
    let rest = '';
    socket.on('data', (chunk) => {
      const parts = (rest + chunk.toString()).split('\r\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        const said = answer(line);
        if (said === 'CLOSE') socket.destroy();
        else if (said !== 'HANG' && said !== '') socket.write(`${said}\r\n`);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    lines,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
