import { errorCode } from '../../observability/error-code.ts';

/** What to do about a port that can't be listened on. */
export function listenFix(error: unknown): string {
  const fixes = new Map([
    ['EADDRINUSE', 'another process listens there: end it or choose another port'],
    ['EACCES', 'ports below 1024 need a privilege: choose a higher one'],
    ['EADDRNOTAVAIL', 'no interface of this machine has that address'],
  ]);
  return fixes.get(errorCode(error)) ?? 'choose another address or port';
}
