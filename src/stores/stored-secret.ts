import type { StoredRecord } from '../delegation-tokens/token-store.ts';
import type { SecretRecord, SecretVersion } from '../kubernetes/secret-records.ts';
import { decodeRecord, nameOfRecord } from './record-format.ts';

/** Text of both: an object made anew is another version whatever its number. */
export function formatVersion({ uid, resourceVersion }: SecretVersion): string {
  return `${uid}/${resourceVersion}`;
}

export function parseVersion(version: string): SecretVersion {
  const end = version.indexOf('/');
  return { uid: version.slice(0, end), resourceVersion: version.slice(end + 1) };
}

/** `problem`: what is wrong with it, without anything of its content. */
export function readRecord(
  secret: SecretRecord,
): { readonly stored: StoredRecord } | { readonly problem: string } {
  if (secret.text === undefined) return { problem: 'is of another type, or holds no text' };
  const decoded = decodeRecord(secret.text.reveal());
  if ('problem' in decoded) return decoded;
  const { record } = decoded;
  // A copy under another name must not become another user's.
  if (nameOfRecord(record) !== secret.name)
    return { problem: 'holds the record of another owner or namespace' };
  return { stored: { record, version: formatVersion(secret) } };
}
