import { parseGateways } from '../../../domain/gateways/definition.ts';
import type { Problem } from '../../../domain/gateways/fields.ts';
import type { GatewayDraft } from '../../../domain/gateways/gateway.ts';
import { readInputFile } from '../../arguments.ts';

/** Reads FILE.json, the form in which gateways are imported and exported. */

const bytesMax = 20_000_000;

/** @throws CommandError 1 if the file cannot be read. */
export async function readGatewayFile(
  path: string,
): Promise<{ gateways: GatewayDraft[] } | { problems: Problem[] }> {
  const text = (await readInputFile(path, bytesMax)).toString('utf8').replace(/^\ufeff/, '');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const message = `is no JSON: ${(cause as Error).message}`;
    return { problems: [{ path: '', message, code: 'field_invalid' }] };
  }
  return parseGateways(json);
}

/** "units[0].port must be …". */
export function problemText({ path, message }: Problem): string {
  return path === '' ? message : `${path} ${message}`;
}
