import { z } from 'zod';

import { isLoopbackName } from '../../domain/loopback-host.ts';
import { isMailAddress } from '../../domain/notifications/address.ts';
import type { MailSettings } from '../../domain/notifications/channel-settings.ts';
import { urlProblem } from '../../domain/notifications/url.ts';

/** The channels that the environment configures. */

const mailAddress = z.string().refine(isMailAddress, 'must be one e-mail address, without a name');

/** A URL that messages may go to. Its text is a secret, which no error repeats. */
const messageUrl = z
  .string()
  .refine(
    (text) => urlProblem(text) === null,
    'must be a URL that begins with https:// (http:// only to this machine), without a user name',
  );

/** The variables of notifications, as part of the environment's schema. */
export const notificationVariables = {
  ADMIN_EMAIL: mailAddress
    .optional()
    .describe('e-mail address of the administrator, to whom the first route of mails goes'),
  MAIL_HOST: z.string().min(1).optional().describe('mail server; if empty, no mails are sent'),
  MAIL_PORT: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port number')
    .transform(Number)
    .refine((port) => port >= 1 && port <= 65_535, 'must be a port number')
    .default(587)
    .describe('port of the mail server'),
  MAIL_TLS: z
    .enum(['starttls', 'tls', 'none'])
    .default('starttls')
    .describe(
      '`starttls`: the mail server must offer it; `tls`: from the first byte (port 465); `none`: only for a mail server on this machine',
    ),
  MAIL_USERNAME: z.string().min(1).optional().describe('user name at the mail server'),
  MAIL_PASSWORD: z.string().min(1).optional().describe('password at the mail server'),
  MAIL_FROM: mailAddress.optional().describe('sender of mails'),
  SLACK_WEBHOOK_URL: messageUrl
    .optional()
    .describe("URL of Slack's incoming webhook; if empty, nothing goes to Slack"),
  WEBHOOK_URL: messageUrl.optional().describe('URL that gets every notification as JSON'),
  WEBHOOK_SECRET: z
    .string()
    .min(16, 'must have at least 16 characters')
    .optional()
    .describe('signs what WEBHOOK_URL gets (HMAC-SHA-256 over timestamp and body)'),
  HEARTBEAT_URL: messageUrl
    .optional()
    .describe(
      'URL that gets a GET each minute while polling and notifications work; an outside service that watches it notices a dead monitor',
    ),
};

const variablesSchema = z.object(notificationVariables);
type Variables = z.output<typeof variablesSchema>;

/** What the variables say together; each is right by itself. One problem a line, without values. */
export function notificationProblems(variables: Variables): string[] {
  const { MAIL_HOST, MAIL_FROM, MAIL_TLS, MAIL_USERNAME, MAIL_PASSWORD, ADMIN_EMAIL } = variables;
  const { WEBHOOK_URL, WEBHOOK_SECRET } = variables;
  const problems: [boolean, string][] = [
    [MAIL_HOST !== undefined && MAIL_FROM === undefined, 'MAIL_HOST needs MAIL_FROM, the sender'],
    [
      MAIL_HOST !== undefined && MAIL_TLS === 'none' && !isLoopbackName(MAIL_HOST),
      'MAIL_TLS=none is only for a mail server on this machine',
    ],
    [
      (MAIL_USERNAME === undefined) !== (MAIL_PASSWORD === undefined),
      'MAIL_USERNAME and MAIL_PASSWORD go together',
    ],
    [ADMIN_EMAIL !== undefined && MAIL_HOST === undefined, 'ADMIN_EMAIL needs MAIL_HOST'],
    [WEBHOOK_SECRET !== undefined && WEBHOOK_URL === undefined, 'WEBHOOK_SECRET needs WEBHOOK_URL'],
  ];
  return problems.filter(([holds]) => holds).map(([, sentence]) => sentence);
}

/** The settings of the channels; null: there is none. */
export interface NotificationSettings {
  email: MailSettings | null;
  adminEmail: string | null;
  slack: { url: string } | null;
  webhook: { url: string; secret: string | null } | null;
  heartbeat: { url: string } | null;
}

export function notificationSettings(variables: Variables): NotificationSettings {
  const {
    MAIL_HOST: host,
    MAIL_FROM: from,
    SLACK_WEBHOOK_URL,
    WEBHOOK_URL,
    HEARTBEAT_URL,
  } = variables;
  return {
    email:
      host === undefined || from === undefined
        ? null
        : {
            host,
            from,
            port: variables.MAIL_PORT,
            tls: variables.MAIL_TLS,
            username: variables.MAIL_USERNAME ?? null,
            password: variables.MAIL_PASSWORD ?? null,
          },
    adminEmail: variables.ADMIN_EMAIL ?? null,
    slack: SLACK_WEBHOOK_URL === undefined ? null : { url: SLACK_WEBHOOK_URL },
    webhook:
      WEBHOOK_URL === undefined
        ? null
        : { url: WEBHOOK_URL, secret: variables.WEBHOOK_SECRET ?? null },
    heartbeat: HEARTBEAT_URL === undefined ? null : { url: HEARTBEAT_URL },
  };
}
