/** From this part of the ACTIVE plants on, plants without polls are no accidents of their own. */
const stoppedPart = 1 / 10;

/**
 * Whether monitoring has stopped: a tenth of the ACTIVE plants, or more, were not polled in time.
 *
 * @example hasStopped(1, 11) === false; hasStopped(1, 10) === true
 */
export function hasStopped(unpolled: number, active: number): boolean {
  return unpolled > 0 && unpolled >= active * stoppedPart;
}
