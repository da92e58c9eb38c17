import { TokenServiceError } from '../delegation-tokens/token-service.ts';

/** The default of `dfs.webhdfs.user.provider.user.pattern`, and the length Linux allows with room to spare. */
const SHORT_NAME = /^[A-Za-z_][A-Za-z0-9._-]{0,254}[$]?$/u;

export function isShortName(name: string): boolean {
  return SHORT_NAME.test(name);
}

/**
 * Throws TokenServiceError `bad-request` for what is no Hadoop short name. Such a name must not reach a server: an
 * empty `doas` counts as none in some versions, and the token is then for the service itself.
 */
export function assertShortName(field: 'owner' | 'renewer', name: string): void {
  if (isShortName(name)) return;
  const shown = JSON.stringify(name.slice(0, 64).replaceAll(/[^\x20-\x7E]/gu, '?'));
  throw new TokenServiceError('bad-request', `${field} ${shown} is not a Hadoop short name`, {
    fix: 'A short name matches ^[A-Za-z_][A-Za-z0-9._-]*[$]?$: no realm, no slash, no space.',
  });
}
