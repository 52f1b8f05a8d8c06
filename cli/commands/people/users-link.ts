import { createSignInLink } from '../../../api/auth/sign-in.ts';
import { recordDecisions } from '../../../db/audit-log.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { Command } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { readEmail, requireUser } from './users.ts';

/** `heliograph users link EMAIL`: creates a link that signs in once, within an hour. */
export const usersLink: Command = {
  name: 'users link',
  usage: 'EMAIL [--json]',
  async run(context) {
    const email = readEmail(context);
    const config = context.config();
    const origin = config.PUBLIC_URL ?? config.stack?.api_url ?? null;
    if (origin === null)
      throw new CommandError(
        'PUBLIC_URL is not set: it must be the URL at which people reach the API',
        exitCodes.configuration,
      );
    const token = await withDatabase(config, async (db) => {
      const user = await requireUser(db, email);
      if (user.disabled_at !== null)
        throw new CommandError(
          `${email} was removed: \`heliograph users reset\` lets them in again`,
          exitCodes.failed,
        );
      const at = new Date();
      const decision = {
        action: 'MAKE_SIGN_IN_LINK',
        subjectType: 'USER',
        subjectId: email,
        before: null,
        after: null,
      } as const;
      return db.transaction().execute(async (trx) => {
        await recordDecisions(trx, [decision], terminalDecider(), at);
        return createSignInLink({ db: trx, clock: () => at.getTime() }, user.id);
      });
    });
    const url = `${origin}/sign-in?token=${token}`;
    print(context, { email, url }, () => `${url}\n`);
  },
};
