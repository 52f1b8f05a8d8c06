import type { Kysely } from 'kysely';

import { type MasterKeys, sealCredentials } from '../../../db/sealing.ts';
import { credentialProblem, registry } from '../../../adapters/clouds/registry.ts';
import { findAccounts } from '../../../db/plants/credentials.ts';
import { type CredentialsStored, decideCredentials } from '../../../db/plants/decisions.ts';
import type { Database } from '../../../db/tables.ts';
import { describeForm } from '../../../domain/plants/credential-form.ts';
import { counted } from '../../../domain/wording.ts';
import { CommandError, exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { onePositional } from '../../arguments.ts';
import type { Command, CommandIo } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print, visibleText } from '../../render.ts';
import { readInput } from '../../fields-input.ts';
import { parseCredentials } from './credential-input.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';

/** `heliograph plants credentials ACCOUNT`: seals the credentials on standard input; plants that the vendor refused poll again at once. */
export const plantsCredentials: Command = {
  name: 'plants credentials',
  usage: `ACCOUNT [--json] < FILE
       standard input: lines of field=value, or a JSON object`,
  async run(context) {
    const accountId = onePositional(context, 'name one account');
    const config = context.config();
    const masterKeys = requireMasterKeys(config);
    const { version, resumed, active } = await withDatabase(config, (db) =>
      storeCredentials(db, masterKeys, accountId, context.io.stdin),
    );
    const told = await tellLoopsOf(config, active, { pollNow: true });
    print(
      context,
      {
        account_id: accountId,
        version,
        resumed,
        active: active.length,
        loops_told: told.told,
      },
      () =>
        `stored the credentials of ${accountId} (version ${version}); ${asksWords(active.length, resumed.length)}\n`,
    );
    context.io.stderr.write(toldNote(told));
  },
};

/** Whether the vendor accepts them is not known yet, so that no plant is said to be resumed. */
function asksWords(active: number, resumed: number): string {
  if (active === 0) return 'none of its plants is polled now';
  const paused =
    resumed === 0 ? '' : `, ${resumed} of which ${resumed === 1 ? 'was' : 'were'} paused`;
  return `the vendor is asked with them now, by ${counted(active, 'plant')}${paused}`;
}

async function storeCredentials(
  db: Kysely<Database>,
  masterKeys: MasterKeys,
  accountId: string,
  stdin: CommandIo['stdin'],
): Promise<CredentialsStored> {
  const [account] = await findAccounts(db, [accountId]);
  if (account === undefined) {
    throw new CommandError(
      `there is no account ${visibleText(accountId)}: \`heliograph plants add\` creates it with its first plant`,
      exitCodes.failed,
    );
  }
  const form = registry[account.brand].definition;
  const credentials = parseCredentials(await readInput(stdin, describeForm(form)), form);
  const problem = credentialProblem(account.brand, credentials);
  if (problem !== null)
    throw new CommandError(
      `nothing was stored, because no request can be made with these credentials: ${problem}`,
      exitCodes.usage,
    );
  const sealed = sealCredentials(masterKeys, accountId, credentials);
  return decideCredentials(db, sealed, terminalDecider(), new Date());
}
