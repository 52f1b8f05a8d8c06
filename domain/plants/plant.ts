/** The words of a plant. Their values are those of the database, the API and the CLI. */

export const brands = ['SOLIS', 'HUAWEI', 'GOODWE', 'DELE'] as const;
/** DELE is Deye (DeyeCloud). */
export type Brand = (typeof brands)[number];

/** The brand for people, who know DELE as Deye. */
export function brandName(brand: Brand): string {
  return brand === 'DELE' ? 'Deye (DELE)' : brand;
}

export const integrationStatuses = [
  'ACTIVE',
  'PAUSED_AUTH_ERROR',
  'DISABLED_BY_OPERATOR',
  'PENDING_DOCS',
] as const;
/** People set it, except that a vendor's refusal of the credentials sets PAUSED_AUTH_ERROR. */
export type IntegrationStatus = (typeof integrationStatuses)[number];

export const statuses = ['GREEN', 'YELLOW', 'RED', 'GREY'] as const;
/** Derived, never set by hand. */
export type Status = (typeof statuses)[number];

/**
 * PAUSED_AUTH_ERROR has three reasons: the account has no credentials, we cannot use them, or the vendor refuses them, which
 * keeps its old name. Readers tell them apart; the stored reason does not.
 */
export type StatusReason =
  | Exclude<IntegrationStatus, 'ACTIVE'>
  | 'NO_CREDENTIALS'
  | 'UNUSABLE_CREDENTIALS'
  | 'WAITING_FOR_FIRST_READING'
  | 'NOT_SEEN_24H'
  | 'CRITICAL_ALERT'
  | 'NOT_SEEN_2H'
  | 'LOW_GENERATION'
  | 'SEEN_RECENTLY';

/** VENDOR: the newest measurement time that the vendor states. EVIDENCE: proof of life, where the vendor states none. */
export type LastSeenSource = 'VENDOR' | 'EVIDENCE';

/** The reason for a poll. START is the first poll after activation or resume, CATCH_UP the newest of several late slots. */
export type Trigger = 'SCHEDULE' | 'START' | 'MANUAL' | 'CATCH_UP';

export type Outcome =
  | 'OK'
  | 'PARTIAL'
  | 'FAILED'
  | 'SKIPPED_LOCKED'
  | 'SKIPPED_INACTIVE'
  | 'MISSED';

export const adapterErrorTypes = [
  'NETWORK_TIMEOUT',
  'RATE_LIMIT_EXCEEDED',
  'AUTH_FAILED',
  'INVALID_DATA_FORMAT',
  'VENDOR_ERROR',
  'PLANT_NOT_FOUND',
  'UNKNOWN',
] as const;
export type AdapterErrorType = (typeof adapterErrorTypes)[number];

export const failureScopes = ['REQUEST', 'PLANT', 'ACCOUNT', 'CLOUD'] as const;
/**
 * What a vendor's failure is about. REQUEST: one path of the vendor, or the parameters that we sent; the rest of the account
 * answers. PLANT: one plant. ACCOUNT: the login, or everything that the account may ask. CLOUD: the vendor's servers, the form
 * of their answers, and the network on the way there.
 */
export type FailureScope = (typeof failureScopes)[number];
