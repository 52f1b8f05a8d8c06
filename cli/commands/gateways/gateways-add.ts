import { loadPresets } from '../../../adapters/modbus/presets.ts';
import { parseGateway } from '../../../domain/gateways/definition.ts';
import { withDatabase } from '../../../environment/services.ts';
import { addGateways } from '../../../operations/gateways/actions.ts';
import { onePositional } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { printWarnings } from '../plants/warnings.ts';
import { gatewayAct } from './act.ts';
import { problemText } from './gateway-file.ts';
import { flagsJson, gatewayFlags } from './gateway-flags.ts';
import { orFail, problemLine } from './refusals.ts';

/** `heliograph gateways add ID`: adds one gateway with one unit. */
export const gatewaysAdd: Command = {
  name: 'gateways add',
  usage:
    'ID --host HOST --preset P [--unit N] [--port N] [--name TEXT] [--interval S] [--priority P] [--plant ID] [--customer C] [--capacity KW] [--json]',
  flags: [...gatewayFlags, 'unit', 'preset', 'capacity'],
  async run(context) {
    const id = onePositional(context, 'name the new gateway by an ID');
    const { unit, preset, capacity } = context.flags;
    if (context.flags['host'] === undefined) throw usageError(context, 'say where it is: --host');
    const parsed = parseGateway({
      id,
      name: id,
      ...flagsJson(context.flags),
      units: [
        {
          unit_id: Number(unit ?? 1),
          ...(preset === undefined ? {} : { preset }),
          ...(capacity === undefined ? {} : { capacity_kw: Number(capacity) }),
        },
      ],
    });
    if ('problems' in parsed)
      throw usageError(context, parsed.problems.map(problemText).join('\n'));
    const added = orFail(
      await withDatabase(context.config(), (db) =>
        addGateways(gatewayAct(db), [parsed.gateway], { presets: loadPresets() }),
      ),
    );
    print(context, added, () => `added gateway ${id}\n`);
    printWarnings(context, added.warnings.map(problemLine));
  },
};
