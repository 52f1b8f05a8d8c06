import { Readable } from 'node:stream';

import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

import { isMailAddress } from '../../../domain/notifications/address.ts';
import type { MailSettings } from '../../../domain/notifications/channel-settings.ts';
import type { ChannelAdapter, Outgoing, Sent } from '../contract.ts';
import { mailOf } from './mail.ts';

/**
 * Mails by SMTP: one connection and one recipient each, so that a refusal is that recipient's. The mail library builds the
 * mail and speaks SMTP; whom it reaches is an address that we checked, in an envelope that we give.
 */

export interface EmailSettings extends MailSettings {
  /** For tests: the certificate authority of their own server. */
  ca?: string;
}

const connectMsMax = 10_000;
const silenceMsMax = 20_000;

type SmtpError = Error & { code?: string; command?: string; responseCode?: number };

export function createEmailChannel(settings: EmailSettings): ChannelAdapter {
  return {
    async send(message, { signal, handsOver }) {
      if (!isMailAddress(message.recipient))
        return { outcome: 'RECIPIENT_REFUSED', answer: 'the address is not one that we send to' };
      const smtp = new Smtp(settings);
      const abort = (): void => smtp.close();
      signal.addEventListener('abort', abort, { once: true });
      try {
        signal.throwIfAborted();
        await smtp.open();
        const answer = await smtp.deliver(await envelopeOf(message, settings.from), handsOver);
        return { outcome: 'SENT', answer };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof HandOverError) throw error.cause;
        return refusalOf(error as SmtpError);
      } finally {
        signal.removeEventListener('abort', abort);
        smtp.close();
      }
    },
  };
}

interface Envelope {
  from: string;
  to: string;
  mail: Buffer;
}

async function envelopeOf(message: Outgoing, from: string): Promise<Envelope> {
  const domain = from.slice(from.lastIndexOf('@') + 1);
  const { subject, text, html, messageId, inReplyTo, headers } = mailOf(message, domain);
  const composer = new MailComposer({
    // Objects, never texts: what the library reads as a list would reach somebody else.
    from: { name: 'Heliograph', address: from },
    to: [{ name: '', address: message.recipient }],
    subject,
    text,
    html,
    messageId,
    date: new Date(message.nowMs),
    headers: { ...headers },
    ...(inReplyTo === null ? {} : { inReplyTo, references: [inReplyTo] }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { from, to: message.recipient, mail: await composer.compile().build() };
}

/** `handsOver` failed: not the server's fault. */
class HandOverError extends Error {
  override readonly name = 'HandOverError';
}

/** One connection to the mail server. */
class Smtp {
  readonly #connection: SMTPConnection;
  readonly #settings: EmailSettings;
  /** Rejects when the connection fails outside of a command. */
  readonly #broken: Promise<never>;

  constructor(settings: EmailSettings) {
    const { host, port, tls, ca } = settings;
    this.#settings = settings;
    this.#connection = new SMTPConnection({
      host,
      port,
      secure: tls === 'tls',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'none',
      connectionTimeout: connectMsMax,
      greetingTimeout: connectMsMax,
      dnsTimeout: connectMsMax,
      socketTimeout: silenceMsMax,
      ...(ca === undefined ? {} : { tls: { ca } }),
    });
    this.#broken = new Promise((_, reject) => {
      this.#connection.on('error', reject);
      this.#connection.on('end', () => reject(new Error('the connection was closed')));
    });
    this.#broken.catch(() => {});
  }

  async open(): Promise<void> {
    await this.#command<void>((done) => this.#connection.connect((error) => done(error ?? null)));
    const { username, password } = this.#settings;
    if (username === null) return;
    const credentials = { user: username, pass: password ?? '' };
    await this.#command<void>((done) =>
      this.#connection.login({ credentials }, (error) => done(error)),
    );
  }

  /** @returns the server's answer in words of ours. */
  async deliver({ from, to, mail }: Envelope, handsOver: () => Promise<void>): Promise<string> {
    const { responseCode } = await this.#command<{ responseCode: number }>((done) =>
      this.#connection.send({ from, to: [to] }, bodyOf(mail, handsOver), (error, info) => {
        done(error, { responseCode: Number(/^\d{3}/.exec(info?.response ?? '')?.[0] ?? 250) });
      }),
    );
    this.#connection.quit();
    return `accepted by the mail server (${responseCode})`;
  }

  close(): void {
    this.#connection.close();
  }

  #command<Result>(
    run: (done: (error: Error | null, result?: Result) => void) => void,
  ): Promise<Result> {
    const answered = new Promise<Result>((resolve, reject) => {
      run((error, result) => (error === null ? resolve(result as Result) : reject(error)));
    });
    return Promise.race([answered, this.#broken]);
  }
}

/** The mail as a stream that is read once the server has asked for it: only from then on it may arrive. */
function bodyOf(mail: Buffer, handsOver: () => Promise<void>): Readable {
  return Readable.from(
    (async function* () {
      try {
        await handsOver();
      } catch (cause) {
        throw new HandOverError('not handed over', { cause });
      }
      yield mail;
    })(),
  );
}

/**
 * What a failure means. What the server says of the recipient or the mail is about that delivery; what it says before, about
 * all of ours. The server's words may hold addresses: only its code is repeated.
 */
function refusalOf(error: SmtpError): Sent {
  const { code = 'no code', command = '', responseCode } = error;
  const isAboutDelivery = command === 'RCPT TO' || command === 'DATA';
  if (responseCode !== undefined && responseCode >= 500) {
    const answer = `refused with ${responseCode} after ${command === '' ? 'the connection' : command.split(' ')[0]}`;
    return { outcome: isAboutDelivery ? 'RECIPIENT_REFUSED' : 'CHANNEL_REFUSED', answer };
  }
  if (code === 'ETLS' || (code === 'EAUTH' && responseCode === undefined))
    return {
      outcome: 'CHANNEL_REFUSED',
      answer: `the mail server offers no ${code === 'ETLS' ? 'TLS that we accept' : 'login that we know'}`,
    };
  const what = responseCode === undefined ? code : String(responseCode);
  return { outcome: 'RETRY', answer: `the mail server did not take it (${what})` };
}
