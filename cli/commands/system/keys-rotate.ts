import { terminalDecider } from '../../decider.ts';
import { type Command, usageError } from '../../command.ts';
import { exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { rotateKeys, type Rotation } from '../../../operations/plants/rotate-keys.ts';
import { connectDatabase } from '../../../environment/services.ts';

/** `heliograph keys rotate`: seals everything that MASTER_KEY_PREVIOUS opens with MASTER_KEY_CURRENT. */
export const keysRotate: Command = {
  name: 'keys rotate',
  usage: '[--json]',
  options: {},
  async run(context) {
    if (context.positionals.length > 0)
      throw usageError(keysRotate, 'the command rotates all accounts: name none');
    const config = context.config();
    const keys = requireMasterKeys(config);
    const db = await connectDatabase(config);
    try {
      const rotation = await rotateKeys({
        db,
        keys,
        by: terminalDecider(),
        progress: (accountId, left) => {
          if (!context.json)
            context.io.stderr.write(`${visibleText(accountId)} done, ${left} left\n`);
        },
      });
      if (context.json) writeJson(context.io, rotation);
      else context.io.stdout.write(rotationText(rotation));
      return rotation.failed.length === 0 ? exitCodes.done : exitCodes.failed;
    } finally {
      await db.destroy();
    }
  },
};

function rotationText({ key_version: version, accounts, resealed, failed }: Rotation): string {
  const lines = [
    `${counted(resealed, 'account')} of ${accounts} sealed again; the current key is ${version}`,
    ...failed.map(({ sentence }) => `not done: ${visibleText(sentence)}`),
  ];
  lines.push(
    failed.length === 0
      ? 'everything is sealed with MASTER_KEY_CURRENT: MASTER_KEY_PREVIOUS is no longer needed'
      : 'keep MASTER_KEY_PREVIOUS: set the key that sealed these accounts as MASTER_KEY_PREVIOUS and run this again, or store their credentials again with `heliograph plants credentials`',
  );
  return `${lines.join('\n')}\n`;
}
