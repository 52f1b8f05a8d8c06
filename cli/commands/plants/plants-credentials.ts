import type { Kysely } from 'kysely';

import { type MasterKeys, sealCredentials } from '../../../db/sealing.ts';
import { registry } from '../../../adapters/clouds/registry.ts';
import { findAccounts } from '../../../db/plants/credentials.ts';
import { type CredentialsStored, decideCredentials } from '../../../db/plants/decisions.ts';
import type { Database } from '../../../db/tables.ts';
import { type Command, type CommandIo, usageError } from '../../command.ts';
import { CommandError, exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { parseCredentials, readInput } from './credential-input.ts';
import { terminalDecider } from '../../decider.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';

/** `heliograph plants credentials ACCOUNT`: seals what standard input holds; refused plants poll again at once. */
export const plantsCredentials: Command = {
  name: 'plants credentials',
  usage: `ACCOUNT [--json] < FILE
       standard input: lines of field=value, or a JSON object`,
  options: {},
  async run(context) {
    const [accountId, ...more] = context.positionals;
    if (accountId === undefined || more.length > 0)
      throw usageError(plantsCredentials, 'name one account');
    const config = context.config();
    const masterKeys = requireMasterKeys(config);
    const db = await connectDatabase(config);
    let stored: CredentialsStored;
    try {
      stored = await storeCredentials(db, masterKeys, accountId, context.io.stdin);
    } finally {
      await db.destroy();
    }
    const told = await tellLoopsOf(config, stored.active, { pollNow: true });
    const { version, resumed, active } = stored;
    if (context.json) {
      writeJson(context.io, {
        account_id: accountId,
        version,
        resumed,
        active: active.length,
        loops_told: told.told,
      });
    } else {
      const plants = `${counted(resumed.length, 'plant')} resumed, ${active.length} ACTIVE`;
      context.io.stdout.write(
        `stored the credentials of ${accountId} (version ${version}); ${plants}\n`,
      );
    }
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

async function storeCredentials(
  db: Kysely<Database>,
  masterKeys: MasterKeys,
  accountId: string,
  stdin: CommandIo['stdin'],
): Promise<CredentialsStored> {
  const [account] = await findAccounts(db, [accountId]);
  if (account === undefined) {
    throw new CommandError(
      `there is no account ${visibleText(accountId)}: \`heliograph plants add\` makes it with its first plant`,
      exitCodes.failed,
    );
  }
  const fields = registry[account.brand].definition.credentialFields;
  const credentials = parseCredentials(await readInput(stdin, fields.join(', ')), fields);
  const sealed = sealCredentials(masterKeys, accountId, credentials);
  return decideCredentials(db, sealed, terminalDecider(), new Date());
}
