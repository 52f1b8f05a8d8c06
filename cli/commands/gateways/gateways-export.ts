import { loadDrafts } from '../../../db/gateways/gateways.ts';
import { gatewayJson } from '../../../domain/gateways/definition.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { Command } from '../../command.ts';
import { failureOf } from './refusals.ts';

/** `heliograph gateways export`: definitions in the form that `gateways import` reads. */
export const gatewaysExport: Command = {
  name: 'gateways export',
  usage: '[ID...]',
  async run({ config, positionals, io }) {
    const ids = positionals.length === 0 ? undefined : positionals;
    const drafts = await withDatabase(config(), (db) => loadDrafts(db, ids));
    const known = new Set(drafts.map(({ id }) => id));
    const gatewayId = positionals.find((id) => !known.has(id));
    if (gatewayId !== undefined) throw failureOf({ refusal: 'UNKNOWN_GATEWAY', gatewayId });
    io.stdout.write(`${JSON.stringify({ gateways: drafts.map(gatewayJson) }, null, 2)}\n`);
  },
};
