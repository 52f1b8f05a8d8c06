import pino from 'pino';
import pretty from 'pino-pretty';

export type Log = pino.Logger;

/** Fields that the log removes at any depth: a last safety net, because no code logs them. */
const redactedPaths = [
  'credentials',
  'password',
  'secret',
  'token',
  'authorization',
  'masterKey',
  'cookie',
  'jwtKey',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** JSON lines for machines; readable lines if the output is a terminal. */
export function createLog(
  level: 'debug' | 'info' | 'warn' | 'error',
  stream: NodeJS.WriteStream = process.stdout,
): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    redact: redactedPaths,
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  if (!stream.isTTY) return pino(options, stream);
  return pino(
    options,
    pretty({ destination: stream, colorize: true, translateTime: 'SYS:HH:MM:ss', sync: true }),
  );
}
