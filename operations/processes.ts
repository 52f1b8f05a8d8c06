import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { join } from 'node:path';

/**
 * Old pollers on this machine: what else asks the devices that Heliograph polls, or used to. It reads /proc and the tables of
 * cron, and ends nothing.
 */

/**
 * CRON_LINE: a line that starts a poller. FOREIGN_WORKER: a process that polls, or a worker that this system does not know.
 * SECOND_MASTER: a process with a connection to a gateway's port that is no worker of this system.
 */
export type PollerKind = 'CRON_LINE' | 'FOREIGN_WORKER' | 'SECOND_MASTER';

export interface Poller {
  kind: PollerKind;
  /** null: a cron line, or a process that this user may not see. */
  pid: number | null;
  /** The command line, or the line of cron. */
  command: string;
  /** The file of a cron line, with its line number; the systemd unit of a process; null: neither. */
  where: string | null;
  /** The gateways to whose port it is connected. */
  gateways: string[];
  how_to_end: string;
}

export interface PollerSearch {
  /** Gateways by address. */
  gateways: readonly { id: string; host: string; port: number }[];
  /** Processes of this machine that may poll: the workers that this system knows. */
  ownPids: ReadonlySet<number>;
  /** Where to look; tests bring their own. */
  proc?: string;
  cronPaths?: readonly string[];
}

const cronPathsDefault = [
  '/etc/crontab',
  '/etc/cron.d',
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/var/spool/cron',
  '/var/spool/cron/crontabs',
];

/** Programs that poll Modbus devices, and queue workers of earlier systems. */
const pollerWords =
  /\b(?:queue:work|queue:listen|horizon|polling:\w+|mbpoll|modpoll|mbusd|telegraf|pymodbus|node-red|modbus\w*)\b/i;
const workerWords = /\bmain\.ts\s+(?:worker|start)\b|\bheliograph\s+worker\b/;

/** Everything that is found. What cannot be read, because of missing rights, is left out. */
export async function findPollers(search: PollerSearch): Promise<Poller[]> {
  const { proc = '/proc', cronPaths = cronPathsDefault, ownPids } = search;
  const processes = readProcesses(proc).filter(({ pid }) => pid !== process.pid);
  const masters = await findMasters(proc, search);
  const masterPids = new Set(masters.map(({ pid }) => pid));
  const foreign = processes
    .filter(({ pid }) => !ownPids.has(pid) && !masterPids.has(pid))
    .filter(({ command }) => pollerWords.test(command) || workerWords.test(command))
    .map((row) => ofProcess('FOREIGN_WORKER', proc, row));
  return [...cronPaths.flatMap(readCron), ...foreign, ...masters];
}

interface ProcessRow {
  pid: number;
  command: string;
}

function readProcesses(proc: string): ProcessRow[] {
  return tryRead(() => readdirSync(proc), []).flatMap((name): ProcessRow[] => {
    if (!/^\d+$/.test(name)) return [];
    const text = tryRead(() => readFileSync(join(proc, name, 'cmdline'), 'utf8'), '');
    const command = text.replaceAll('\0', ' ').trim();
    return command === '' ? [] : [{ pid: Number(name), command }];
  });
}

function ofProcess(
  kind: PollerKind,
  proc: string,
  { pid, command }: ProcessRow,
  gateways: string[] = [],
): Poller {
  const unit = unitOf(proc, pid);
  const how =
    unit === null
      ? `kill ${pid}, after you have found what starts it`
      : `systemctl disable --now ${unit}`;
  return { kind, pid, command, where: unit, gateways, how_to_end: how };
}

/** The systemd unit that a process belongs to; null: none, or a session. */
function unitOf(proc: string, pid: number): string | null {
  const text = tryRead(() => readFileSync(join(proc, String(pid), 'cgroup'), 'utf8'), '');
  return /\/([\w@.\\-]+\.service)(?:\/|$)/m.exec(text)?.[1] ?? null;
}

function readCron(path: string): Poller[] {
  const isFolder = tryRead(() => statSync(path).isDirectory(), false);
  if (isFolder)
    return tryRead(() => readdirSync(path), []).flatMap((name) => {
      const file = join(path, name);
      return tryRead(() => statSync(file).isFile(), false) ? readCron(file) : [];
    });
  const lines = tryRead(() => readFileSync(path, 'utf8'), '').split('\n');
  return lines.flatMap((line, index): Poller[] => {
    const text = line.trim();
    const isPoller = pollerWords.test(text) || workerWords.test(text);
    if (text === '' || text.startsWith('#') || !isPoller) return [];
    const where = `${path}:${index + 1}`;
    return [
      {
        kind: 'CRON_LINE',
        pid: null,
        command: text,
        where,
        gateways: [],
        how_to_end: `delete line ${index + 1} of ${path}, or put # before it`,
      },
    ];
  });
}

/** Connections of this machine to the gateways' ports, by processes that are no workers of ours. */
async function findMasters(proc: string, { gateways, ownPids }: PollerSearch): Promise<Poller[]> {
  const byAddress = await addressesOf(gateways);
  const connections = [
    ...readConnections(join(proc, 'net/tcp')),
    ...readConnections(join(proc, 'net/tcp6')),
  ].flatMap(({ remote, inode }) => {
    const ids = byAddress.get(remote);
    return ids === undefined ? [] : [{ ids, inode }];
  });
  if (connections.length === 0) return [];
  const owners = socketOwners(proc, new Set(connections.map(({ inode }) => inode)));
  const found = new Map<number | null, Set<string>>();
  for (const { ids, inode } of connections) {
    const pid = owners.get(inode) ?? null;
    if (pid !== null && ownPids.has(pid)) continue;
    const known = found.get(pid) ?? new Set();
    for (const id of ids) known.add(id);
    found.set(pid, known);
  }
  const commands = new Map(readProcesses(proc).map(({ pid, command }) => [pid, command]));
  return [...found].map(([pid, ids]): Poller => {
    const list = [...ids].toSorted();
    if (pid !== null)
      return ofProcess(
        'SECOND_MASTER',
        proc,
        { pid, command: commands.get(pid) ?? 'unknown' },
        list,
      );
    return {
      kind: 'SECOND_MASTER',
      pid,
      command: 'a process that this user may not see',
      where: null,
      gateways: list,
      how_to_end: 'run this command as root: it then names the process',
    };
  });
}

/** Gateways by `address:port`. A name that is not known has no address. */
async function addressesOf(gateways: PollerSearch['gateways']): Promise<Map<string, string[]>> {
  const hosts = new Map<string, string[]>();
  for (const host of new Set(gateways.map((one) => one.host))) {
    const bare = host.replace(/^\[|\]$/g, '');
    if (isIP(bare) !== 0) hosts.set(host, [bare]);
    else
      hosts.set(
        host,
        await dns.lookup(bare, { all: true }).then(
          (all) => all.map(({ address }) => address),
          () => [],
        ),
      );
  }
  const byAddress = new Map<string, string[]>();
  for (const { id, host, port } of gateways)
    for (const address of hosts.get(host) ?? []) {
      const key = `${plainAddress(address)}:${port}`;
      byAddress.set(key, [...(byAddress.get(key) ?? []), id]);
    }
  return byAddress;
}

/** One spelling for each address: IPv6 in full, as bytes; IPv4 also where it is mapped into IPv6. */
function plainAddress(address: string): string {
  if (!address.includes(':')) return address;
  const { hostname } = new URL(`http://[${address}]`);
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(hostname);
  if (mapped === null) return hostname;
  const [high, low] = [parseInt(mapped[1] ?? '', 16), parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The kernel's number of an established connection. */
const established = '01';

/** The established connections of one of the kernel's tables: the remote `address:port` and the socket's inode. */
function readConnections(path: string): { remote: string; inode: string }[] {
  const [, ...lines] = tryRead(() => readFileSync(path, 'utf8'), '').split('\n');
  return lines.flatMap((line) => {
    const [, , remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (state !== established) return [];
    const [address = '', port = ''] = remote.split(':');
    return [{ remote: `${plainAddress(addressOfHex(address))}:${parseInt(port, 16)}`, inode }];
  });
}

/** The kernel writes addresses as 32-bit words in the machine's order, which is little-endian on all that we run on. */
function addressOfHex(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  bytes.swap32();
  if (bytes.length === 4) return [...bytes].join('.');
  return Array.from({ length: 8 }, (_, n) => bytes.readUInt16BE(2 * n).toString(16)).join(':');
}

/** Which process holds each socket. */
function socketOwners(proc: string, inodes: ReadonlySet<string>): Map<string, number> {
  const owners = new Map<string, number>();
  for (const name of tryRead(() => readdirSync(proc), [])) {
    if (!/^\d+$/.test(name)) continue;
    const folder = join(proc, name, 'fd');
    for (const fd of tryRead(() => readdirSync(folder), [])) {
      const target = tryRead(() => readlinkSync(join(folder, fd)), '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode)) owners.set(inode, Number(name));
    }
  }
  return owners;
}

/** Processes end and files vanish while they are read, and some are another user's: those are left out. */
function tryRead<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR', 'EINVAL'].includes(code))
      return otherwise;
    throw error;
  }
}
