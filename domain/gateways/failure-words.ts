import { sentenceOf } from '../wording.ts';
import type { FailureReason, PollFailure } from './reading.ts';

/** Why polls fail, in sentences for people, where only the one word is known. */

const sentences: Readonly<Record<Exclude<FailureReason, ExceptionReason>, string>> = {
  CONNECTION_REFUSED: 'The device refuses the connection.',
  NO_ROUTE: 'There is no way to the host.',
  NAME_NOT_FOUND: 'The name of the host is not known.',
  ADDRESS_REFUSED: 'The address of the host is not allowed.',
  CONNECT_TIMEOUT: 'The connection is not answered.',
  TIMEOUT: 'A request is not answered in time.',
  CLOSED: 'The device closes the connection.',
  IDLE_CLOSE: 'The device closes idle connections.',
  ANOTHER_MASTER: 'The device closes the connection again and again: another master may use it.',
  FOREIGN_FRAMES: 'The device answers what nobody asked.',
  PROTOCOL: 'The answer is not Modbus TCP.',
  UNIT_SILENT: 'The unit behind the gateway does not answer.',
  BACK_OFF: 'The socket waits after earlier failures.',
  NO_POINTS: 'It has no points to read.',
  NOT_DISCOVERED: 'Its SunSpec models are not found yet.',
  WORD_ORDER:
    'Its values come in another word order than its points say: check the order of the preset, or what was changed at the device.',
  ROW_REFUSED: 'The database refused the row of the last poll.',
};

type ExceptionReason = `EXCEPTION_${number}`;

/** Whether the word is one that polls fail with. */
export function isFailureReason(word: string | null): word is FailureReason {
  return word !== null && (word in sentences || /^EXCEPTION_\d+$/.test(word));
}

/** The failure as one sentence: what the client said of it, else what its word means. */
export function failureSentence({ reason, message }: PollFailure): string {
  if (message !== '') return sentenceOf(message);
  return reason in sentences
    ? sentences[reason as keyof typeof sentences]
    : `The device answers with ${reason.replace('_', ' ').toLowerCase()}.`;
}
