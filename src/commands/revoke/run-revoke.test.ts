import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeConfigMaps } from '../../../test/fakes/fake-config-maps.ts';
import type { PodView } from '../../authentication/kubernetes-access.ts';
import { formatRevocations } from '../../config/revocations-document.ts';
import type { Revocation, RevocationSubject } from '../../identity/revocations.ts';
import { KubernetesApiError, type KubernetesApiFailure } from '../../kubernetes/kubernetes-api-error.ts';
import { parseRevocationsText } from '../revocations-text.ts';
import { type RevokeDependencies, type RevokeRequest, runRevoke } from './run-revoke.ts';

const CONFIG_MAP = { namespace: 'kerbridge', name: 'kerbridge-revocations' };
const ID = 'kerbridge/kerbridge-revocations';
const POD = { namespace: 'team-a', name: 'job-1', uid: '0b6f5a0e-0000-4000-8000-000000000001' };
const BY = 'ops@example.com';
const HOUR_MS = 3_600_000;
const ALICE = { user: 'alice' };

function setUp(overrides: Partial<RevokeDependencies['kubernetes']> = {}) {
  const clock = new FakeClock();
  const configMaps = new FakeConfigMaps();
  const printed = { out: '', error: '' };
  const dependencies: RevokeDependencies = {
    kubernetes: {
      getConfigMap: configMaps.getConfigMap,
      createConfigMap: configMaps.createConfigMap,
      patchConfigMap: configMaps.patchConfigMap,
      getPod: (namespace, name) =>
        Promise.resolve(
          `${namespace}/${name}` === 'team-a/job-1' ? ({ ...POD } as unknown as PodView) : undefined,
        ),
      whoAmI: () => Promise.resolve(BY),
      serverTime: () => clock.now(),
      ...overrides,
    },
    terminal: {
      out: (text) => {
        printed.out += text;
      },
      error: (text) => {
        printed.error += text;
      },
    },
  };
  const run = (request: RevokeRequest, json = false) =>
    runRevoke({ request, configMap: CONFIG_MAP, json }, dependencies);
  const revoke = (
    subject: RevocationSubject,
    { forMs, reason, json }: { forMs?: number; reason?: string; json?: boolean } = {},
  ) => run({ action: 'revoke', subject, forMs, reason }, json);
  const undo = (subject: RevocationSubject) => run({ action: 'undo', subject });
  const put = (...revocations: Revocation[]) =>
    configMaps.put(ID, { 'revocations.yaml': formatRevocations(revocations) });
  const list = () => parseRevocationsText(configMaps.dataOf(ID)?.['revocations.yaml']);
  return { clock, configMaps, printed, run, revoke, undo, put, list };
}

const revocationOf = (subject: typeof ALICE | { pod: typeof POD }, change: Partial<Revocation> = {}) =>
  ({ ...subject, revokedAt: 0, until: undefined, reason: '', ...change }) as Revocation;
const failure = (code: KubernetesApiFailure) => new KubernetesApiError(code, code, { fix: 'the fix' });

describe('kerbridge revoke', () => {
  it.each<[KubernetesApiFailure, number]>([
    ['configuration', 2],
    ['credentials', 1],
    ['unauthorized', 3],
    ['forbidden', 3],
    ['unreachable', 4],
    ['timeout', 4],
    ['too-many-requests', 4],
    ['server-error', 4],
    ['bad-reply', 1],
  ])('ends for %s with %d, whichever call it is', async (code, exitCode) => {
    for (const call of ['getConfigMap', 'createConfigMap', 'getPod', 'whoAmI'] as const) {
      const { revoke, printed, list } = setUp({ [call]: () => Promise.reject(failure(code)) });
      expect(await revoke({ pod: { namespace: 'team-a', name: 'job-1' } })).toBe(exitCode);
      expect(printed.out).toBe('');
      expect(printed.error).toMatch(new RegExp(`^kerbridge revoke: ${code}`));
      expect(list()).toEqual([]);
    }
  });

  it('names the right that is missing', async () => {
    const { revoke, printed, configMaps } = setUp();
    configMaps.failWith('createConfigMap', failure('forbidden'));
    expect(await revoke(ALICE)).toBe(3);
    expect(printed.error).toBe('kerbridge revoke: forbidden; the fix\n');
  });

  it('names the right to look a pod up, and the way without it', async () => {
    const { revoke, printed } = setUp({ getPod: () => Promise.reject(failure('forbidden')) });
    expect(await revoke({ pod: { namespace: 'team-a', name: 'job-1' } })).toBe(3);
    expect(printed.error).toMatch(/`get` on `pods` in namespace `team-a`, or .* --uid/);
  });

  it('revokes no pod that is not there, without its UID', async () => {
    const { revoke, printed, configMaps } = setUp();
    expect(await revoke({ pod: { namespace: 'team-a', name: 'job-2' } })).toBe(1);
    expect(printed.error).toMatch(/there is no pod team-a\/job-2 now: .*--uid/);
    expect(configMaps.calls).toEqual([]);
  });

  it.each([
    ['malformed', 'revocations: [hunter2', /holds no valid list, and was left as it is: not valid YAML/],
    ['empty', '', /no valid list/],
    ['of another version', 'version: 2\nrevocations: []', /version/],
  ])('leaves a document that is %s as it is', async (_name, text, message) => {
    const { revoke, undo, run, printed, configMaps } = setUp();
    configMaps.put(ID, { 'revocations.yaml': text });
    expect([await revoke(ALICE), await undo(ALICE), await run({ action: 'list' })]).toEqual([1, 1, 1]);
    expect(printed.error).toMatch(message);
    expect(printed.error).not.toContain('hunter2');
    expect(configMaps.dataOf(ID)).toEqual({ 'revocations.yaml': text });
  });

  it('says nothing of success for a ConfigMap that holds something else', async () => {
    const { revoke, configMaps, printed } = setUp();
    configMaps.put(ID, { 'core-site.xml': 'x' });
    expect(await revoke(ALICE)).toBe(1);
    expect(printed).toEqual({ out: '', error: expect.stringMatching(/has other keys/) });
  });

  it('revokes a user until it is taken back', async () => {
    const { revoke, list, printed, clock, put } = setUp();
    put();
    expect(await revoke(ALICE, { reason: 'left the company' })).toBe(0);
    expect(list()).toEqual([
      { user: 'alice', revokedAt: clock.now(), until: undefined, reason: 'left the company', by: BY },
    ]);
    expect(printed.error).toBe('');
    expect(printed.out).toBe(
      'revoked: user alice, until it is taken back\n' +
        `Written to ConfigMap ${ID}; in force on every replica within 5 s.\n` +
        'Nothing more is handed out. Tokens handed out before stay valid at Hadoop until they expire.\n',
    );
  });

  it('revokes a pod by the UID it has now, for a time', async () => {
    const { revoke, list, printed, clock } = setUp();
    expect(await revoke({ pod: { namespace: 'team-a', name: 'job-1' } }, { forMs: HOUR_MS })).toBe(0);
    expect(list()).toEqual([
      { pod: POD, revokedAt: clock.now(), until: clock.now() + HOUR_MS, reason: '', by: BY },
    ]);
    expect(printed.out).toMatch(/^revoked: pod team-a\/job-1 \(UID 0b6f5a0e-.*\), until 2026-01-01T01:00/);
    expect(printed.out).toMatch(/created later under this name is another one/);
  });

  it('revokes a pod that is gone by the UID that is given, and asks for no pod', async () => {
    const { revoke, list } = setUp({ getPod: () => Promise.reject(new Error('not asked for')) });
    const gone = { namespace: 'team-a', name: 'gone', uid: 'u-1' };
    expect(await revoke({ pod: gone })).toBe(0);
    expect(list()).toMatchObject([{ pod: gone }]);
  });

  it('says so when nobody had made the ConfigMap: serve may read another', async () => {
    const { revoke, printed } = setUp();
    expect(await revoke(ALICE)).toBe(0);
    expect(printed.error).toMatch(/was not there: check that serve reads this one/);
  });

  it('does nothing the second time', async () => {
    const { revoke, configMaps, printed, clock } = setUp();
    await revoke(ALICE, { reason: 'x' });
    const before = configMaps.dataOf(ID);
    await clock.advance(1_000);
    printed.out = '';
    expect([await revoke(ALICE), await revoke({ user: 'Alice' }, { forMs: HOUR_MS })]).toEqual([0, 0]);
    expect(configMaps.dataOf(ID)).toBe(before);
    expect(printed.out).toMatch(
      /^revoked already: user alice, until it is taken back\n.*nothing was written/,
    );
  });

  it('makes it longer, and keeps the reason', async () => {
    const { revoke, list, clock } = setUp();
    await revoke(ALICE, { reason: 'x', forMs: HOUR_MS });
    expect(await revoke(ALICE, { forMs: 2 * HOUR_MS })).toBe(0);
    expect(list()).toMatchObject([{ until: clock.now() + 2 * HOUR_MS, reason: 'x' }]);
  });

  it('writes nothing, and takes nothing back, when the API server does not say what time it is', async () => {
    const { revoke, undo, run, printed, configMaps, put } = setUp({
      serverTime: () => {
        throw failure('bad-reply');
      },
    });
    put(revocationOf(ALICE));
    const before = configMaps.dataOf(ID);
    expect([await revoke({ user: 'bob' }), await undo(ALICE), await run({ action: 'list' })]).toEqual([
      1, 1, 1,
    ]);
    expect(printed).toEqual({ out: '', error: expect.stringMatching(/bad-reply/) });
    expect(configMaps.dataOf(ID)).toBe(before);
  });

  it('takes out what has passed with each write', async () => {
    const { revoke, list, put, clock } = setUp();
    put(revocationOf({ pod: POD }, { until: clock.now() }), revocationOf(ALICE, { until: clock.now() + 1 }));
    expect(await revoke({ user: 'bob' })).toBe(0);
    expect(list()).toMatchObject([{ user: 'alice' }, { user: 'bob' }]);
  });

  it('keeps what somebody else revokes at the same time', async () => {
    const { revoke, list, put, configMaps } = setUp();
    put();
    let times = 0;
    configMaps.beforeWrite = () => {
      times += 1;
      if (times === 1) put(revocationOf({ user: 'bob' }));
    };
    expect(await revoke(ALICE)).toBe(0);
    expect(list()).toMatchObject([{ user: 'bob' }, { user: 'alice' }]);
  });

  it('names an operator whose name does not fit on a line', async () => {
    const { revoke, list } = setUp({ whoAmI: () => Promise.resolve(`ops\n\u202e${'x'.repeat(600)}`) });
    expect(await revoke(ALICE)).toBe(0);
    expect(list()[0]?.by).toMatch(/^ops\?\?x{507}$/);
  });

  it('takes back, whatever the case, and all pods of a name', async () => {
    const { undo, list, put, printed } = setUp();
    const other = { ...POD, uid: 'u-2' };
    put(revocationOf(ALICE), revocationOf({ pod: POD }), revocationOf({ pod: other }));
    expect(await undo({ user: 'ALICE' })).toBe(0);
    expect(await undo({ pod: { namespace: 'team-a', name: 'job-1' } })).toBe(0);
    expect(list()).toEqual([]);
    expect(printed.out).toMatch(/^taken back: user alice\n/);
    expect(printed.out).toMatch(/taken back: pod team-a\/job-1 \(UID u-2\)/);
  });

  it('takes back one pod by its UID', async () => {
    const { undo, list, put } = setUp();
    put(revocationOf({ pod: POD }), revocationOf({ pod: { ...POD, uid: 'u-2' } }));
    expect(await undo({ pod: POD })).toBe(0);
    expect(list()).toMatchObject([{ pod: { uid: 'u-2' } }]);
  });

  it('takes nothing back, and writes nothing, where there is nothing', async () => {
    const { undo, configMaps, printed } = setUp();
    expect(await undo(ALICE)).toBe(0);
    expect(configMaps.calls).toEqual([`get ${ID}`]);
    expect(printed.out).toBe(`user alice was not revoked in ConfigMap ${ID}; nothing to take back\n`);
  });

  it('lists what is in force', async () => {
    const { run, put, printed, clock } = setUp();
    expect(await run({ action: 'list' })).toBe(0);
    expect(printed.out).toBe(`ConfigMap ${ID}: nobody is revoked\n`);
    printed.out = '';
    put(
      revocationOf(ALICE, { reason: 'left', by: BY }),
      revocationOf({ pod: POD }, { until: clock.now() + 1 }),
      revocationOf({ user: 'bob' }, { until: clock.now() }),
    );
    expect(await run({ action: 'list' })).toBe(0);
    expect(printed.out.split('\n')).toEqual([
      expect.stringMatching(/^WHO {2,}UNTIL {2,}SINCE {2,}BY {2,}REASON$/),
      expect.stringMatching(/^user alice {2,}taken back {2,}1970-01-01T\S+ {2}ops@example\.com {2}left$/),
      expect.stringMatching(/^pod team-a\/job-1 \(UID \S+\) {2}2026-01-01T00:00:00\.001Z {2}1970\S+$/),
      '',
    ]);
  });

  it('prints JSON', async () => {
    const { revoke, run, printed, clock } = setUp();
    const time = new Date(clock.now()).toISOString();
    const alice = { user: 'alice', revokedAt: time, until: null, reason: '', by: BY };
    await revoke(ALICE, { json: true });
    expect(JSON.parse(printed.out)).toEqual({
      result: 'revoked',
      configMap: CONFIG_MAP,
      revocation: alice,
      created: true,
    });
    printed.out = '';
    await run({ action: 'list' }, true);
    expect(JSON.parse(printed.out)).toEqual({
      result: 'listed',
      configMap: CONFIG_MAP,
      revocations: [alice],
    });
  });
});
