import { counted } from '../../../domain/wording.ts';
import { exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { rotateKeys, type Rotation } from '../../../operations/plants/rotate-keys.ts';
import { noPositionals } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print, visibleText } from '../../render.ts';

/** `heliograph keys rotate`: seals everything that MASTER_KEY_PREVIOUS opens with MASTER_KEY_CURRENT. */
export const keysRotate: Command = {
  name: 'keys rotate',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command rotates all accounts: name none');
    const config = context.config();
    const keys = requireMasterKeys(config);
    const progress = (accountId: string, left: number) => {
      if (!context.json) context.io.stderr.write(`${visibleText(accountId)} done, ${left} left\n`);
    };
    const rotation = await withDatabase(config, (db) =>
      rotateKeys({ db, keys, by: terminalDecider(), progress }),
    );
    print(context, rotation, () => rotationText(rotation));
    return rotation.failed.length === 0 ? exitCodes.done : exitCodes.failed;
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
