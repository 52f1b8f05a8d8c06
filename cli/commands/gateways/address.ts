import { defaultPort } from '../../../domain/gateways/gateway.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { visibleText } from '../../render.ts';

/** Reads HOST, HOST:PORT or [IPv6]:PORT. @throws CommandError 2 */
export function readAddress(context: CommandContext, text: string): { host: string; port: number } {
  const [, host = '', port] =
    /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const chosen = port === undefined ? defaultPort : Number(port);
  if (host === '' || chosen < 1 || chosen > 0xffff)
    throw usageError(context, `the gateway must be HOST or HOST:PORT, not ${visibleText(text)}`);
  return { host, port: chosen };
}
