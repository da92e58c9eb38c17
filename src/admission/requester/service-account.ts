import {
  parseServiceAccountName,
  type ServiceAccountName,
} from '../../authentication/service-account-name.ts';
import type { Requester } from './requester.ts';

export const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

/** Of every token that the TokenRequest API has issued (KEP-4193). A forged one needs the right to impersonate userextras. */
const CREDENTIAL_ID_EXTRA = 'authentication.kubernetes.io/credential-id';

export type RequestingAccount =
  | { readonly kind: 'none' }
  | { readonly kind: 'proven'; readonly account: ServiceAccountName }
  /** `why` completes "the API server …". */
  | { readonly kind: 'unproven'; readonly why: string };

/**
 * The service account that asks. Whoever has the role `edit` in a namespace may impersonate its accounts, and make legacy
 * Secrets with their tokens; neither comes with a UID and a credential-id together.
 */
export function readServiceAccount({ username, uid, extra }: Requester): RequestingAccount {
  if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return { kind: 'none' };
  const account = parseServiceAccountName(username);
  // check: requester-account-name
  if (account === undefined) return unproven('names no service account with it');
  // check: requester-account-uid
  if (uid === undefined || uid === '') return unproven('names no UID of the account: is it impersonated?');
  const credentialId = onlyExtra(extra, CREDENTIAL_ID_EXTRA);
  // check: requester-account-credential
  if (credentialId?.startsWith('JTI=') !== true)
    return unproven('names no credential-id of its token: use one of the TokenRequest API, not of a Secret');
  return { kind: 'proven', account };
}

function unproven(why: string): RequestingAccount {
  return { kind: 'unproven', why };
}

/** The only value of an extra field; undefined if there are none or several. */
export function onlyExtra(extra: Requester['extra'], key: string): string | undefined {
  const values = extraValues(extra, key);
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

export function hasExtra(extra: Requester['extra'], key: string): boolean {
  return extraValues(extra, key) !== undefined;
}

function extraValues(extra: Requester['extra'], key: string): readonly string[] | undefined {
  return extra !== undefined && Object.hasOwn(extra, key) ? extra[key] : undefined;
}
