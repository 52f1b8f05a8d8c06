import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { ownFile } from './data-dir.ts';
import { StackError } from './stack-error.ts';

/** The only address on which servers of the stack listen. */
export const loopback = '127.0.0.1';

/**
 * Above the ports of well-known services, below Linux's range for outgoing connections (32768 up), where any port may be taken
 * at any moment. Temporal's tables hold ports as signed 16-bit numbers.
 */
const lowestPort = 20_000;
const highestPort = 31_999;

export type PortName =
  | 'postgres'
  | 'redis'
  | 'temporal'
  | 'temporalUi'
  | 'temporalHttp'
  | 'temporalMetrics'
  | `gateway ${string}`;

/** Whether no program listens on this port, on 127.0.0.1 or on all addresses. */
export async function isPortFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await once(probe.listen({ port, host: loopback, exclusive: true }), 'listening');
  } catch {
    return false;
  }
  await once(probe.close(), 'close');
  return true;
}

/**
 * The ports of one data folder. `file` stores them, so that addresses survive restarts. `seed` sets where the search for new
 * ones begins, so that stacks of different folders do not race for the same port.
 */
export class PortBook {
  readonly #file: string;
  readonly #ports: Map<string, number>;
  #next: number;

  constructor(file: string, seed: string) {
    this.#file = file;
    this.#ports = readPorts(file);
    const hash = createHash('sha256').update(seed).digest().readUInt32BE(0);
    this.#next = lowestPort + (hash % (highestPort - lowestPort + 1));
  }

  /** The stored port if it is free, else another free one, which it stores. */
  async claim(name: PortName): Promise<number> {
    const remembered = this.#ports.get(name);
    if (remembered !== undefined && (await isPortFree(remembered))) return remembered;
    for (let tries = lowestPort; tries <= highestPort; tries += 1) {
      const port = this.#next;
      this.#next = port === highestPort ? lowestPort : port + 1;
      if ([...this.#ports.values()].includes(port)) continue;
      // Reserved before the check, so that two concurrent claims never probe the same port.
      this.#ports.set(name, port);
      if (await isPortFree(port)) {
        this.#save();
        return port;
      }
    }
    throw new StackError(`no port of ${loopback} from ${lowestPort} to ${highestPort} is free.`);
  }

  #save(): void {
    const text = `${JSON.stringify(Object.fromEntries(this.#ports))}\n`;
    writeFileSync(`${this.#file}.new`, text, { mode: ownFile });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** Treats an unreadable file as absent, because stored ports are only a convenience. */
function readPorts(file: string): Map<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const entries = Object.entries(parsed ?? {});
    return new Map(
      entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
    );
  } catch {
    return new Map();
  }
}
