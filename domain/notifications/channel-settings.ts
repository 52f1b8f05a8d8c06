import { isLoopbackName } from '../loopback-host.ts';
import { isMailAddress } from './address.ts';
import type { ChannelKind } from './message.ts';
import { isOneLine, type WrongField } from './route-settings.ts';
import { urlProblem } from './url.ts';

/** The settings of channels that people add, as they are sealed: texts by their names. */

/** The kinds of channel that people add. */
export const addedKinds = ['EMAIL', 'SLACK', 'WEBHOOK'] as const satisfies readonly ChannelKind[];
export type AddedKind = (typeof addedKinds)[number];

export type ChannelTexts = Readonly<Record<string, string>>;

export const settingFields: Readonly<
  Record<AddedKind, { required: readonly string[]; optional: readonly string[] }>
> = {
  EMAIL: { required: ['host', 'from'], optional: ['port', 'tls', 'username', 'password'] },
  SLACK: { required: ['url'], optional: [] },
  WEBHOOK: { required: ['url'], optional: ['secret'] },
};

const secretLengthMin = 16;

/** The first thing that is wrong with the settings, without their values; null: nothing. */
export function settingsProblem(kind: AddedKind, settings: ChannelTexts): WrongField | null {
  const { required, optional } = settingFields[kind];
  const known = [...required, ...optional];
  if (Object.keys(settings).some((name) => !known.includes(name)))
    return { field: 'settings', problem: `hold only ${known.join(', ')}` };
  const missing = required.find((name) => (settings[name] ?? '') === '');
  if (missing !== undefined) return { field: missing, problem: 'is missing' };
  const long = known.find((name) => name in settings && !isOneLine(settings[name] ?? ''));
  if (long !== undefined) return { field: long, problem: 'must be one line' };
  return kind === 'EMAIL' ? mailProblem(settings) : addressProblem(settings);
}

function addressProblem({ url = '', secret }: ChannelTexts): WrongField | null {
  const problem = urlProblem(url);
  if (problem !== null) return { field: 'url', problem: `cannot be used: ${problem}` };
  return secret !== undefined && secret.length < secretLengthMin
    ? { field: 'secret', problem: `must have at least ${secretLengthMin} characters` }
    : null;
}

/** How a mail server is reached. */
export interface MailSettings {
  host: string;
  port: number;
  /** starttls: the server must offer it; tls: from the first byte; none: for a server on this machine. */
  tls: 'starttls' | 'tls' | 'none';
  username: string | null;
  password: string | null;
  /** The sender's address. */
  from: string;
}

/** The settings of a mail server, with what is usual where they say nothing. */
export function mailSettings(settings: ChannelTexts): MailSettings {
  const { host = '', from = '', port = '587', tls = 'starttls' } = settings;
  return {
    host,
    from,
    port: Number(port),
    tls: tls as MailSettings['tls'],
    username: settings['username'] ?? null,
    password: settings['password'] ?? null,
  };
}

function mailProblem(settings: ChannelTexts): WrongField | null {
  const { host, from, port, tls, username, password } = mailSettings(settings);
  if (!/^[A-Za-z0-9.:-]{1,253}$/.test(host))
    return { field: 'host', problem: 'must be the name or address of a mail server' };
  if (!isMailAddress(from))
    return { field: 'from', problem: 'must be one e-mail address, without a name' };
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    return { field: 'port', problem: 'must be a port number' };
  if (!['starttls', 'tls', 'none'].includes(tls))
    return { field: 'tls', problem: 'must be starttls, tls or none' };
  if (tls === 'none' && !isLoopbackName(host))
    return { field: 'tls', problem: 'is none, which is only for a mail server on this machine' };
  return (username === null) === (password === null)
    ? null
    : { field: 'username', problem: 'and password go together' };
}
