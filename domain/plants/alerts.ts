import { AlertBook } from '../alerts.ts';
import { audienceOf } from './announcing.ts';
import type { AlertsChanges, Booked, PollOutcome } from './changes.ts';
import type {
  AlertKey,
  AlertsBefore,
  Book,
  ClosingVerdict,
  PlantFacts,
  PollResult,
} from './facts.ts';
import { refusesAccount, scopeOf } from './failure.ts';
import type { AdapterErrorType } from './plant.ts';
import type { CredentialsFault, Reading, RefusedField, VendorFailure } from './reading.ts';
import { decideDevices } from './devices.ts';
import { decideRunningDay, streak, streakSays } from './low-generation.ts';
import { decideStatus, isSeenWithin, isUnseenForADay, yellowAfterMs } from './status.ts';
import { reconcileVendorAlarms } from './vendor-alarms.ts';
import { localTimeText, sentenceOf } from '../wording.ts';
import { hourMs, localDateAt } from '../zone.ts';

export { alarmsDue, alarmsSince } from './vendor-alarms.ts';

/** The alerts and then the status of a plant: after every poll, and whenever people changed something or a day was closed. */

/** One failed poll is weather; three in a row are an outage. */
export const failedPollsMax = 3;
/** Without a complete answer about alarms for so long, silence no longer means that all is well. */
const alarmsMissingMs = 6 * hourMs;

function keyOf(
  type: AlertKey['type'],
  vendorAlarmCode: string | null = null,
  deviceSn: string | null = null,
): AlertKey {
  return { type, vendorAlarmCode, deviceSn };
}

const offlineKey = keyOf('OFFLINE');
const lowGenerationKey = keyOf('LOW_GENERATION');
const pollKey = keyOf('API_ERROR', 'POLL');
/** One alert for each thing that a person does about it: store credentials, correct them, ask the vendor. */
const credentialsKeys = {
  MISSING: keyOf('API_ERROR', 'NO_CREDENTIALS'),
  UNUSABLE: keyOf('API_ERROR', 'UNUSABLE_CREDENTIALS'),
  REFUSED: keyOf('API_ERROR', 'AUTH'),
} as const satisfies Record<AccountRefusal, AlertKey>;
const alarmsKey = keyOf('API_ERROR', 'ALARMS');

/** What happened: a poll with its result and what the day step booked of it; or, with `result` null, something else. */
export type Occasion =
  | { slotMs: number; nowMs: number; result: PollResult; booked: Booked | null }
  | { nowMs: number; closing: ClosingVerdict | null; result: null };

type Poll = Extract<Occasion, { result: PollResult }>;

/**
 * Decides alerts, announcements and then the status. Without a result the plant's readings stay as they are (last seen,
 * failures, alarms): only time has passed, people have changed something, or a day was closed.
 */
export function decideAlerts(before: AlertsBefore, occasion: Occasion): AlertsChanges {
  const { nowMs } = occasion;
  const book = new AlertBook(before, audienceOf(before), nowMs);
  let plant = before.plant;
  if (occasion.result === null) {
    if (occasion.closing !== null) judgeLowGeneration(book, occasion.closing);
    if (before.hasCredentials) book.resolve(credentialsKeys.MISSING, credentialsStored);
  } else {
    plant = readingsAfter(plant, occasion);
    reconcileAnswer(book, before, plant, occasion);
    plant = judgeRunningDay(book, before, plant, occasion);
    plant = judgeDevices(book, before, plant, occasion);
  }
  const pauseAccount = isRefused(occasion.result) && !isHeld(before);
  if (pauseAccount && plant.integrationStatus === 'ACTIVE') {
    plant = { ...plant, integrationStatus: 'PAUSED_AUTH_ERROR' };
  }
  judgeAbsence(book, plant, nowMs);
  book.remind();
  const { status, reason, sinceMs } = decideStatus(
    { ...plant, activeAlerts: book.standing() },
    nowMs,
  );
  return {
    plant: {
      status,
      statusReason: reason,
      statusSinceMs: sinceMs,
      lastSeenAtMs: plant.lastSeenAtMs,
      lastSeenSource: plant.lastSeenSource,
      consecutiveFailures: plant.consecutiveFailures,
      lowGenerationStreak: plant.lowGenerationStreak,
      alarmsCompleteAtMs: plant.alarmsCompleteAtMs,
      devices: plant.devices,
    },
    alerts: book.changes,
    pauseAccount,
  };
}

/** The credentials that are still stored were refused; replaced ones deserve their own try. */
function isRefused(result: PollResult | null): boolean {
  return result?.kind === 'FAILURE' && refusesAccount(result.failure) && result.credentialsCurrent;
}

/** The brand refuses many at once: that is no word about these credentials. */
function isHeld({ incident }: AlertsBefore): boolean {
  return incident?.held === true;
}

/** The plant with what this poll says of it: last seen never goes back, failures count this poll. */
function readingsAfter(plant: PlantFacts, { result, booked, nowMs }: Poll): PlantFacts {
  if (result.kind === 'FAILURE') {
    return { ...plant, consecutiveFailures: plant.consecutiveFailures + 1 };
  }
  const after = { ...plant, consecutiveFailures: 0 };
  const { alarms } = result.reading;
  if (alarms !== null && 'complete' in alarms && alarms.complete) after.alarmsCompleteAtMs = nowMs;
  const seenAtMs = booked?.seenAtMs ?? null;
  if (seenAtMs !== null && seenAtMs > (plant.lastSeenAtMs ?? -Infinity)) {
    after.lastSeenAtMs = seenAtMs;
    after.lastSeenSource = booked?.seenSource ?? null;
  }
  return after;
}

/** Why an account's credentials are of no use. REFUSED: by the vendor. */
export type AccountRefusal = CredentialsFault | 'REFUSED';

export function accountRefusal({ credentials }: VendorFailure): AccountRefusal {
  return credentials ?? 'REFUSED';
}

/** Vendor alarms, and the API_ERRORs. */
function reconcileAnswer(
  book: Book,
  before: AlertsBefore,
  plant: PlantFacts,
  { result, nowMs }: Poll,
): void {
  if (result.kind === 'FAILURE') {
    reportFailure(book, before, plant, result);
    return;
  }
  const { alarms } = result.reading;
  if (alarms !== null && 'alarms' in alarms) reconcileVendorAlarms(book, before, alarms, nowMs);
  book.resolve(pollKey, 'A poll succeeded.');
  for (const key of Object.values(credentialsKeys))
    book.resolve(key, 'The vendor accepted the credentials.');
  judgeAlarmAnswers(book, plant, result, nowMs);
}

function reportFailure(
  book: Book,
  before: AlertsBefore,
  plant: PlantFacts,
  result: Extract<PollResult, { kind: 'FAILURE' }>,
): void {
  const message = sentenceOf(result.failure.message);
  // Where another plant of the account was refused first, its alert speaks for all of them.
  const isOwn = plant.integrationStatus !== 'PAUSED_AUTH_ERROR' && !isHeld(before);
  const refusal = isRefused(result) ? accountRefusal(result.failure) : null;
  // Credentials that the vendor was shown, or that are wrong in another way, are no longer missing or unusable.
  if (refusal !== 'MISSING') book.resolve(credentialsKeys.MISSING, credentialsStored);
  if (refusal !== 'MISSING' && refusal !== 'UNUSABLE')
    book.resolve(credentialsKeys.UNUSABLE, 'Credentials that can be used are stored.');
  if (refusal !== null && isOwn)
    book.report({
      ...credentialsKeys[refusal],
      severity: refusal === 'MISSING' ? 'YELLOW' : 'RED',
      message: refusalMessage(refusal, message),
    });
  if (plant.consecutiveFailures >= failedPollsMax) {
    book.report({
      ...pollKey,
      severity: 'YELLOW',
      message: `${plant.consecutiveFailures} polls in a row failed, the last one so: ${message}`,
    });
  }
}

const credentialsStored = 'The account has credentials.';

/** @param message what was refused, as a sentence; it names no secret. */
function refusalMessage(refusal: AccountRefusal, message: string): string {
  switch (refusal) {
    case 'MISSING':
      return 'The account has no credentials yet, and its plants are paused until some are stored.';
    case 'UNUSABLE':
      return `The stored credentials cannot be used, and the plants of the account are paused until others are stored: ${message}`;
    case 'REFUSED':
      return `The vendor refused the credentials, and the plants of the account are paused until new ones are stored: ${message}`;
  }
}

/** Judged by polls that reached the vendor: while none does, POLL says so. */
function judgeAlarmAnswers(
  book: Book,
  plant: PlantFacts,
  result: Extract<PollResult, { kind: 'READING' }>,
  nowMs: number,
): void {
  // While the plant was paused, nobody asked.
  const sinceMs = Math.max(plant.alarmsCompleteAtMs ?? -Infinity, plant.activatedAtMs ?? nowMs);
  if (sinceMs > nowMs - alarmsMissingMs) {
    if (plant.alarmsCompleteAtMs === nowMs)
      book.resolve(alarmsKey, 'The alarms were answered completely.');
    return;
  }
  const { error } = outcomeOf(result);
  const last = error === null ? '' : ` The last answer: ${error}`;
  book.report({
    ...alarmsKey,
    severity: 'YELLOW',
    message: `No complete answer about alarms since ${localTimeText(sinceMs, plant.timezone)}.${last}`,
  });
}

/** LOW_GENERATION while the day runs: three equal verdicts in a row. Gives the plant with its row of verdicts. */
function judgeRunningDay(
  book: Book,
  before: AlertsBefore,
  plant: PlantFacts,
  { booked, slotMs, nowMs }: Poll,
): PlantFacts {
  if (booked === null) return plant;
  const today = localDateAt(nowMs, plant.timezone);
  const { verdict, note } = decideRunningDay({
    today,
    totalKwh: booked.bookedDate === today ? booked.todayEnergyKwh : null,
    measuredAtMs: booked.seenAtMs,
    slotMs,
    isSeen: isSeenWithin(yellowAfterMs, plant.lastSeenAtMs, nowMs),
    days: before.days,
    daysAtTime: before.daysAtTime,
    place: plant,
  });
  if (verdict === null) return plant;
  const verdicts = streak(plant.lowGenerationStreak, today, verdict);
  judgeLowGeneration(book, { severity: streakSays(verdicts), note });
  return { ...plant, lowGenerationStreak: verdicts };
}

/** DEVICE_DOWN, by answered polls alone. Gives the plant with its devices as they are now. */
function judgeDevices(
  book: Book,
  before: AlertsBefore,
  plant: PlantFacts,
  { result, booked, nowMs }: Poll,
): PlantFacts {
  if (result.kind === 'FAILURE' || booked === null) return plant;
  const { devices, down, producing, gone } = decideDevices(
    plant.devices,
    result.reading.summary.devices,
    {
      today: localDateAt(nowMs, plant.timezone),
      isFresh:
        booked.seenAtMs !== null && booked.seenAtMs > (before.plant.lastSeenAtMs ?? -Infinity),
    },
  );
  const downKey = (sn: string) => keyOf('DEVICE_DOWN', null, sn);
  for (const { sn, message } of down) book.report({ ...downKey(sn), severity: 'YELLOW', message });
  for (const sn of producing) book.resolve(downKey(sn), 'The device produces.');
  for (const sn of gone)
    book.resolve(downKey(sn), 'The vendor has not listed the device for a week.');
  return { ...plant, devices };
}

/** Raises or resolves LOW_GENERATION by a verdict; `severity` null: there is none. */
function judgeLowGeneration(
  book: Book,
  { severity, note }: Pick<ClosingVerdict, 'severity' | 'note'>,
): void {
  if (severity === 'NORMAL') book.resolve(lowGenerationKey, note);
  else if (severity !== null) book.report({ ...lowGenerationKey, severity, message: note });
}

/** OFFLINE comes with NOT_SEEN_24H and goes in the evaluation that sees the plant within 24 h again. */
function judgeAbsence(book: Book, plant: PlantFacts, nowMs: number): void {
  if (plant.lastSeenAtMs !== null && !isUnseenForADay(plant, nowMs)) {
    book.resolve(offlineKey, 'The plant was seen within 24 h again.');
    return;
  }
  // A paused plant is not asked: its silence says nothing.
  if (plant.integrationStatus !== 'ACTIVE' || !isUnseenForADay(plant, nowMs)) return;
  book.report({
    ...offlineKey,
    severity: 'RED',
    message: absenceSentence(plant),
  });
}

function absenceSentence({ lastSeenAtMs, activatedAtMs, timezone }: PlantFacts): string {
  if (lastSeenAtMs !== null) {
    return `Not seen for more than 24 h: last seen at ${localTimeText(lastSeenAtMs, timezone)}.`;
  }
  return activatedAtMs === null
    ? 'Never seen.'
    : `Never seen since it was activated at ${localTimeText(activatedAtMs, timezone)}.`;
}

/** OK; PARTIAL, where the summary is good but the alarms, or a refused field, are not; FAILED. */
export function outcomeOf(result: PollResult): PollOutcome {
  if (result.kind === 'FAILURE') {
    const { type, message, certain, credentials } = result.failure;
    return {
      outcome: 'FAILED',
      errorType: type,
      errorScope: scopeOf(result.failure),
      ...(certain === false ? { errorCertain: false } : {}),
      ...(credentials === undefined ? {} : { credentials }),
      error: message,
    };
  }
  const { summary, alarms } = result.reading;
  const sentences = summary.refused.map((refused) => refused.sentence);
  const alarmsSentence = alarmsProblem(alarms);
  if (alarmsSentence !== null) sentences.push(alarmsSentence);
  if (sentences.length === 0) return { outcome: 'OK', errorType: null, error: null };
  const refusedType = typeOf(summary.refused);
  const errorType = alarms !== null && 'type' in alarms ? alarms.type : refusedType;
  return { outcome: 'PARTIAL', errorType, error: sentences.join(' ') };
}

/** The error of the first field that the vendor did not answer; INVALID_DATA_FORMAT if it answered all; null without a refused field. */
function typeOf(refused: readonly RefusedField[]): AdapterErrorType | null {
  if (refused.length === 0) return null;
  return refused.find(({ type }) => type !== undefined)?.type ?? 'INVALID_DATA_FORMAT';
}

function alarmsProblem(alarms: Reading['alarms']): string | null {
  if (alarms === null) return null;
  if ('type' in alarms) return `Alarms: ${sentenceOf(alarms.message)}`;
  return alarms.complete
    ? null
    : 'The answer about alarms was cut off: what it lacks may still be open.';
}
