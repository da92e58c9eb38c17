import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { HadoopHttpClient, HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';
import { Secret } from '../../observability/secret.ts';
import { CheckRun } from '../../preflight/check.ts';
import { checkWebOf } from './cluster-nameservice.ts';

const CHALLENGE: HadoopHttpReply = {
  status: 401,
  statusMessage: '',
  contentType: 'text/html',
  redirectOrigin: undefined,
  wwwAuthenticate: 'Negotiate',
  serverTime: undefined,
  setCookies: new Secret([]),
  body: new Secret(''),
};

const targets = [0, 1].map((index) => ({
  name: `main/ns/nn${index}`,
  origin: `http://nn${index}:9870`,
  spnHost: `nn${index}`,
  addressProperty: 'x',
}));

/** What is found when these take a request and never answer, and the check has five seconds. */
const check = async (silent: readonly string[], ended?: AbortController) => {
  const clock = new FakeClock();
  const http: Pick<HadoopHttpClient, 'send'> = {
    send: ({ origin, signal }) =>
      silent.includes(origin)
        ? new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
          })
        : Promise.resolve(CHALLENGE),
  };
  const run = new CheckRun({
    clock,
    timeoutMs: 60_000,
    maxTimeoutMs: 5_000,
    ...(ended === undefined ? {} : { signal: ended.signal }),
  });
  const names = targets.map(({ origin }) => new URL(origin).hostname);
  const resolved = names.map((name) => ({
    id: `name:main/${name}`,
    title: name,
    run: () => Promise.resolve([]),
  }));
  for await (const _ of run.run(resolved));
  const found: string[] = [];
  const all = (async () => {
    const findings = checkWebOf(targets, { files: { config: { name: 'main' } }, run, http });
    for (;;) {
      const { done, value } = await findings.next();
      if (done === true) return value.map(({ name }) => name);
      found.push(`${value.id} ${value.outcome}: ${value.detail}`);
    }
  })();
  await clock.advance(1_000);
  ended?.abort(new Error('asked to end'));
  await clock.advance(30_000);
  return { answered: await all, found, sleeping: clock.sleeping };
};

describe('checkWebOf', () => {
  it.each([0, 1])(
    'keeps what the other NameNode says when nn%i is silent until the time is up',
    async (index) => {
      const { answered, found, sleeping } = await check([`http://nn${index}:9870`]);
      expect(answered).toEqual([`main/ns/nn${1 - index}`]);
      expect(found).toContain(`namenode:main/ns/nn${index} warning: no answer within 5 s`);
      expect(found).toContain(`namenode:main/ns/nn${1 - index} ok: answers`);
      expect(sleeping).toBe(0);
    },
  );

  it('fails when none answers in time', async () => {
    const { answered, found } = await check(targets.map(({ origin }) => origin));
    expect(answered).toEqual([]);
    expect(found).toEqual([
      'namenode:main/ns/nn0 failed: no answer within 5 s',
      'namenode:main/ns/nn1 failed: no answer within 5 s',
    ]);
  });

  it('says nothing of a NameNode when the run is ended', async () => {
    const { answered, found } = await check(['http://nn0:9870'], new AbortController());
    expect(answered).toEqual([]);
    expect(found).toEqual([
      'namenode:main/ns/nn0 skipped: the run was ended',
      'namenode:main/ns/nn1 skipped: the run was ended',
    ]);
  });
});
