import type { ListenAddress } from '../../config/listen-address.ts';

/** As a URL has it. */
export function hostPort({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
