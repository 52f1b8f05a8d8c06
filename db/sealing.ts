import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

import { PlainError } from '../domain/plain-error.ts';

/** Seals and opens secrets that the database keeps: credentials of vendor accounts, settings of channels. */

/** The master keys. The version in a sealed row says which of the two opens it. */
export interface MasterKeys {
  current: MasterKey;
  previous: MasterKey | null;
}

export interface MasterKey {
  /** Derived from the key, so that an error can name a missing key. */
  version: string;
  /** 32 bytes. No log shows a KeyObject, and a Buffer would cost 20 µs of every poll. */
  key: KeyObject;
}

/** The row to which a seal is bound: a seal that was moved to another row does not open. */
export interface SealedPlace {
  table: string;
  /** The row's id. */
  row: string;
  /** What is sealed and of what, for the sentence of an error: "the credentials of account canal". */
  secrets: string;
  of: string;
}

const named = ({ secrets, of, row }: SealedPlace): string => `the ${secrets} of ${of} ${row}`;

/** A seal as its row keeps it. */
export interface Sealed {
  keyVersion: string;
  iv: Buffer;
  /** Ciphertext and tag. */
  sealed: Buffer;
}

const ivBytes = 12;
const tagBytes = 16;

function associatedData({ table, row }: SealedPlace, keyVersion: string): Buffer {
  return Buffer.from(`${table}|${row}|${keyVersion}`, 'utf8');
}

/** AES-256-GCM with a fresh 96-bit IV and the current master key. */
export function seal(
  keys: MasterKeys,
  place: SealedPlace,
  secrets: Readonly<Record<string, string>>,
): Sealed {
  const { version, key } = keys.current;
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  cipher.setAAD(associatedData(place, version));
  const sealed = Buffer.concat([
    cipher.update(JSON.stringify(secrets), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { keyVersion: version, iv, sealed };
}

/**
 * Opens a seal.
 *
 * @throws PlainError when neither master key made it, or when it was changed or moved.
 */
export function unseal(
  keys: MasterKeys,
  place: SealedPlace,
  { keyVersion, iv, sealed }: Sealed,
): Record<string, string> {
  const master = [keys.current, keys.previous].find(
    (candidate) => candidate?.version === keyVersion,
  );
  if (master == null) {
    throw new PlainError(
      `${named(place)} were sealed with master key ${keyVersion}, which is neither MASTER_KEY_CURRENT nor MASTER_KEY_PREVIOUS`,
    );
  }
  try {
    const decipher = createDecipheriv('aes-256-gcm', master.key, iv, { authTagLength: tagBytes });
    decipher.setAAD(associatedData(place, keyVersion));
    const end = sealed.length - tagBytes;
    decipher.setAuthTag(sealed.subarray(end));
    const text = Buffer.concat([
      decipher.update(sealed.subarray(0, end)),
      decipher.final(),
    ]).toString('utf8');
    return JSON.parse(text) as Record<string, string>;
  } catch {
    // The error has no cause, which could show the key or the plaintext.
    throw new PlainError(
      `${named(place)} do not open: the row was changed or belongs to another ${place.of}`,
    );
  }
}

/**
 * Puts the current master key's seal on what another key sealed.
 *
 * @returns null if the current key sealed it already.
 * @throws PlainError when it does not open, or the new seal does not hold the same.
 */
export function reseal(keys: MasterKeys, place: SealedPlace, row: Sealed): Sealed | null {
  if (row.keyVersion === keys.current.version) return null;
  const secrets = unseal(keys, place, row);
  const fresh = seal(keys, place, secrets);
  const onlyCurrent: MasterKeys = { current: keys.current, previous: null };
  if (JSON.stringify(unseal(onlyCurrent, place, fresh)) !== JSON.stringify(secrets))
    throw new PlainError(`the new seal of ${named(place)} does not hold what the old one held`);
  return fresh;
}

/** The row that holds the credentials of a vendor account. */
export function credentialsPlace(accountId: string): SealedPlace {
  return {
    table: 'integration_credentials',
    row: accountId,
    secrets: 'credentials',
    of: 'account',
  };
}

/** Seals the credentials of a vendor account. */
export function sealCredentials(
  keys: MasterKeys,
  accountId: string,
  credentials: Readonly<Record<string, string>>,
): { accountId: string } & Sealed {
  return { accountId, ...seal(keys, credentialsPlace(accountId), credentials) };
}

/** Opens an account's credentials. @throws PlainError as `unseal`. */
export function openCredentials(
  keys: MasterKeys,
  row: { accountId: string } & Sealed,
): Record<string, string> {
  return unseal(keys, credentialsPlace(row.accountId), row);
}

/** The same credentials under the current master key. See `reseal`. */
export function resealedCredentials(
  keys: MasterKeys,
  row: { accountId: string } & Sealed,
): Sealed | null {
  return reseal(keys, credentialsPlace(row.accountId), row);
}
