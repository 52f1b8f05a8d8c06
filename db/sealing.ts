import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

import { PlainError } from '../domain/plain-error.ts';

/** Seals and opens the credentials of vendor accounts. */

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

const table = 'integration_credentials';
const ivBytes = 12;
const tagBytes = 16;

/** Binds a row to its account and key: a row that was moved to another account does not open. */
function associatedData(accountId: string, keyVersion: string): Buffer {
  return Buffer.from(`${table}|${accountId}|${keyVersion}`, 'utf8');
}

/** AES-256-GCM with a fresh 96-bit IV; `sealed` is ciphertext and tag. */
export function sealCredentials(
  keys: MasterKeys,
  accountId: string,
  credentials: Readonly<Record<string, string>>,
): { accountId: string; keyVersion: string; iv: Buffer; sealed: Buffer } {
  const { version, key } = keys.current;
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  cipher.setAAD(associatedData(accountId, version));
  const sealed = Buffer.concat([
    cipher.update(JSON.stringify(credentials), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { accountId, keyVersion: version, iv, sealed };
}

/**
 * Opens an account's credentials.
 *
 * @throws PlainError when neither master key sealed them, or when they were changed or moved.
 */
export function openCredentials(
  keys: MasterKeys,
  row: { accountId: string; keyVersion: string; iv: Buffer; sealed: Buffer },
): Record<string, string> {
  const master = [keys.current, keys.previous].find(
    (candidate) => candidate?.version === row.keyVersion,
  );
  if (master == null) {
    throw new PlainError(
      `the credentials of account ${row.accountId} were sealed with master key ${row.keyVersion}, which is neither MASTER_KEY_CURRENT nor MASTER_KEY_PREVIOUS`,
    );
  }
  try {
    const decipher = createDecipheriv('aes-256-gcm', master.key, row.iv, {
      authTagLength: tagBytes,
    });
    decipher.setAAD(associatedData(row.accountId, row.keyVersion));
    const end = row.sealed.length - tagBytes;
    decipher.setAuthTag(row.sealed.subarray(end));
    const text = Buffer.concat([
      decipher.update(row.sealed.subarray(0, end)),
      decipher.final(),
    ]).toString('utf8');
    return JSON.parse(text) as Record<string, string>;
  } catch {
    // The error has no cause, which could show the key or the plaintext.
    throw new PlainError(
      `the credentials of account ${row.accountId} do not open: the row was changed or belongs to another account`,
    );
  }
}
