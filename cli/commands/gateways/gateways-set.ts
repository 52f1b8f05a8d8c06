import { loadPresets } from '../../../adapters/modbus/presets.ts';
import { loadDrafts } from '../../../db/gateways/gateways.ts';
import { gatewayJson, parseGateway } from '../../../domain/gateways/definition.ts';
import { withDatabase } from '../../../environment/services.ts';
import { changeGateway } from '../../../operations/gateways/actions.ts';
import { onePositional } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { printWarnings } from '../plants/warnings.ts';
import { gatewayAct } from './act.ts';
import { problemText, readGatewayFile } from './gateway-file.ts';
import { flagsJson, gatewayFlags } from './gateway-flags.ts';
import { failureOf, orFail, problemLine } from './refusals.ts';

/** `heliograph gateways set ID`: changes a gateway by flags, or to the definition in a file. */
export const gatewaysSet: Command = {
  name: 'gateways set',
  usage: `ID [--file FILE.json] ${gatewayFlags.map((flag) => `[--${flag} …]`).join(' ')} [--json]`,
  flags: [...gatewayFlags, 'file'],
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const given = flagsJson(context.flags);
    const path = context.flags['file'];
    if (path === undefined && Object.keys(given).length === 0)
      throw usageError(context, 'say what to change');
    const changed = await withDatabase(context.config(), async (db) => {
      const [before] =
        path === undefined ? await loadDrafts(db, [gatewayId]) : await fromFile(path);
      if (before === undefined) throw failureOf({ refusal: 'UNKNOWN_GATEWAY', gatewayId });
      const parsed = parseGateway({ ...gatewayJson(before), ...given, id: gatewayId });
      if ('problems' in parsed)
        throw usageError(context, parsed.problems.map(problemText).join('\n'));
      const { id: _id, ...change } = parsed.gateway;
      return changeGateway(gatewayAct(db), gatewayId, change, { presets: loadPresets() });
    });
    const { warnings } = orFail(changed);
    print(context, { gateway_id: gatewayId, warnings }, () => `changed gateway ${gatewayId}\n`);
    printWarnings(context, warnings.map(problemLine));

    async function fromFile(file: string) {
      const read = await readGatewayFile(file);
      if ('problems' in read) throw usageError(context, read.problems.map(problemText).join('\n'));
      if (read.gateways.length !== 1)
        throw usageError(context, `the file has ${read.gateways.length} gateways: give one`);
      return read.gateways;
    }
  },
};
