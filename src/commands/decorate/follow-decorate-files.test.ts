import { describe, expect, it } from '@jest/globals';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { Secret } from '../../observability/secret.ts';
import type { TlsCertificateEvent, TlsPair } from '../serve/tls-certificate.ts';
import { followDecorateFiles } from './follow-decorate-files.ts';
import type { DecorateFileChange, DecorateFiles } from './plan-decorate.ts';

const pairUntil = (notAfter: number): TlsPair => ({
  certificates: 'x',
  key: new Secret('x'),
  notBefore: 0,
  notAfter,
});

function start({ warning, tls }: { readonly warning?: string; readonly tls?: DecorateFiles['tls'] } = {}) {
  const { metrics, logger, log } = observedRefusals();
  let tell: (change: DecorateFileChange) => void = () => undefined;
  let show: (event: TlsCertificateEvent) => void = () => undefined;
  const used: TlsPair[] = [];
  const files: DecorateFiles = {
    rules: undefined,
    requesters: undefined,
    signingKeys: undefined,
    tls,
    follow: (listener) => {
      tell = listener;
    },
    stop: () => undefined,
  };
  const pair = {
    current: pairUntil(5_000),
    warning,
    follow: (listener: typeof show) => {
      show = listener;
    },
  };
  followDecorateFiles(
    { files },
    { pair, webhook: { useCertificate: (next) => used.push(next) }, metrics, logger },
  );
  return {
    used,
    log,
    tell: (change: DecorateFileChange) => tell(change),
    show: (event: TlsCertificateEvent) => show(event),
    shown: async (name: string) =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`kerbridge_${name}`)),
  };
}

describe('followDecorateFiles', () => {
  it('tells what of a file is not used, and what is in use again', async () => {
    const { tell, log, shown } = start();
    tell({
      file: 'requesters',
      outcome: 'kept',
      problems: [{ path: 'requestersFile', message: 'is wrong' }],
    });
    expect(await shown('file_ok')).toEqual([expect.stringMatching(/\{file="requesters"\} 0$/)]);
    tell({ file: 'requesters', outcome: 'reloaded', problems: [] });
    expect(await shown('file_ok')).toEqual([expect.stringMatching(/\{file="requesters"\} 1$/)]);
    expect(log()).toMatchObject([
      { level: 'warn', file: 'requesters', problems: ['requestersFile: is wrong'] },
      { level: 'info', message: 'Changed file is in use', file: 'requesters' },
    ]);
    expect(await shown('file_reloads_total')).toHaveLength(2);
  });

  it('shows the end of the certificate in use, wherever it comes from', async () => {
    const { show, shown, used } = start();
    expect(await shown('tls_certificate_not_after')).toEqual([expect.stringMatching(/ 5$/)]);
    const next = pairUntil(9_000);
    show({ event: 'used', pair: next });
    expect(used).toEqual([next]);
    expect(await shown('tls_certificate_not_after')).toEqual([expect.stringMatching(/ 9$/)]);
    expect(await shown('file_ok')).toEqual([]);
  });

  it('warns of a certificate that nobody will take', () => {
    expect(start({ warning: 'expired' }).log()).toMatchObject([{ level: 'warn', warning: 'expired' }]);
    expect(start().log()).toEqual([]);
  });
});
