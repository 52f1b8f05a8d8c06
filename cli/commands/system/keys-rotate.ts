import { counted } from '../../../domain/wording.ts';
import { exitCodes, requireMasterKeys } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { rotateSeals, type SealRotation } from '../../../operations/notifications/rotate-keys.ts';
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
    const rotation = await withDatabase(config, async (db) => {
      const by = terminalDecider();
      const accounts = await rotateKeys({ db, keys, by, progress });
      return { ...accounts, notifications: await rotateSeals({ db, keys, by }) };
    });
    print(context, rotation, () => rotationText(rotation));
    return failuresOf(rotation).length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

type WholeRotation = Rotation & { notifications: SealRotation };

const failuresOf = ({ failed, notifications }: WholeRotation): { sentence: string }[] => [
  ...failed,
  ...notifications.failed,
];

function rotationText(rotation: WholeRotation): string {
  const { key_version: version, accounts, resealed, notifications } = rotation;
  const failed = failuresOf(rotation);
  const seals =
    notifications.resealed === 0
      ? []
      : [`${counted(notifications.resealed, 'seal')} of channels and subscriptions made again`];
  const lines = [
    `${counted(resealed, 'account')} of ${accounts} sealed again; the current key is ${version}`,
    ...seals,
    ...failed.map(({ sentence }) => `not done: ${visibleText(sentence)}`),
  ];
  lines.push(
    failed.length === 0
      ? 'everything is sealed with MASTER_KEY_CURRENT: MASTER_KEY_PREVIOUS is no longer needed'
      : 'keep MASTER_KEY_PREVIOUS: set the key that sealed these as MASTER_KEY_PREVIOUS and run this again, or store them again (`heliograph plants credentials`, `heliograph notifications channels add`)',
  );
  return `${lines.join('\n')}\n`;
}
