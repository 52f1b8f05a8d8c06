import type { ReadAnswer } from '../../db/gateways/requests.ts';

/** Why a walker could not carry out what it was asked, in words. */
export function failureText(answer: ReadAnswer): string {
  if ('failure' in answer) return answer.failure.message;
  return 'exception' in answer
    ? `the device answered with exception ${answer.exception}`
    : 'the walker answered something else';
}
