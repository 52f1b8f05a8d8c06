/** From this part of those that are due on, missing polls are no accidents of single ones. */
const stoppedPart = 1 / 10;

/**
 * Whether monitoring has stopped: a tenth of the plants or gateways that are due, or more, were not polled in time.
 *
 * @example hasStopped(1, 11) === false; hasStopped(1, 10) === true
 */
export function hasStopped(unpolled: number, active: number): boolean {
  return unpolled > 0 && unpolled >= active * stoppedPart;
}
