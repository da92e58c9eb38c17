import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeConfigMaps } from '../../../test/fakes/fake-config-maps.ts';
import { type FileAccess, WatchedFile } from '../../config/watched-file.ts';
import type { Revocation } from '../../identity/revocations.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import { createLogger } from '../../observability/logger.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { buildRevocations } from './build-revocations.ts';

const ID = 'kerbridge/revoked';
/** Longer than a read that succeeds is believed. */
const TOO_OLD_MS = 40_000;
const POLLED_MS = 2_000;
const until = '2026-01-01T01:00:00Z';
const document = (...entries: string[]) => ({
  'revocations.yaml': `version: 1\nrevocations: [${entries.join(', ')}]\n`,
});
const userEntry = (user: string) => `{ user: ${user}, revokedAt: 2026-01-01T00:00:00Z }`;
const podEntry = `{ pod: { namespace: team-a, name: p, uid: u }, revokedAt: 2026-01-01T00:00:00Z, until: ${until} }`;
const forbidden = () =>
  new KubernetesApiError('forbidden', 'GET configmap: 403', { fix: 'Grant `get` on `configmaps`' });

async function setUp({
  file,
  namespace = 'kerbridge',
}: { readonly file?: readonly Revocation[]; readonly namespace?: string | null } = {}) {
  const clock = new FakeClock();
  const configMaps = new FakeConfigMaps();
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const lines: string[] = [];
  const access: FileAccess = {
    fingerprint: () => Promise.resolve(''),
    read: () => Promise.resolve(new Uint8Array()),
  };
  const watched =
    file === undefined
      ? undefined
      : await WatchedFile.open({ path: '/r', parse: () => file, clock, files: access });
  const revocations = buildRevocations({
    config: {
      identity: {
        annotation: 'a',
        userPattern: 'u',
        denyUsers: [],
        requireSignature: false,
        stampKeysFile: undefined,
        rulesFile: undefined,
        revocationsFile: undefined,
        revocationsConfigMap: { namespace: namespace ?? undefined, name: 'revoked' },
      },
      kubernetes: {
        kubeconfig: '/kubeconfig',
        context: undefined,
        audience: 'kerbridge',
        adminAudience: 'kerbridge-admin',
        issuers: [],
        maxTokenLifetimeMs: 1,
        podSelector: undefined,
        checkSourceAddress: true,
      },
    },
    kubernetes: configMaps,
    files: { revocations: watched },
    metrics,
    logger: createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) } }),
    clock,
  });
  return {
    clock,
    configMaps,
    revocations,
    logged: () => lines.splice(0).map((line) => JSON.parse(line) as unknown),
    shown: async (name: string): Promise<string[]> =>
      (await metrics.registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith(`kerbridge_revocations_${name}`)),
    usersNow: () => (revocations.now().revocations ?? []).map((each) => ('user' in each ? each.user : 'pod')),
    stop: () => {
      revocations.stop();
      watched?.stop();
    },
  };
}

describe('buildRevocations', () => {
  it('knows nothing before the first read, nor after one that failed, whatever the file says', async () => {
    const { revocations, configMaps, logged, stop } = await setUp({ file: [] });
    expect(revocations.now().known).toBe(false);
    configMaps.failWith('getConfigMap', forbidden());
    await revocations.start();
    expect(revocations.now().known).toBe(false);
    expect(logged()).toMatchObject([
      {
        level: 'warn',
        message: 'Revocations cannot be read; nobody gets credentials until they can be',
        configMap: ID,
        error: { code: 'forbidden' },
        fix: 'Grant `get` on `configmaps`',
      },
    ]);
    stop();
  });

  it('knows no more when the last read is too old; whom it named stays revoked', async () => {
    const { revocations, configMaps, clock, usersNow, logged, stop } = await setUp();
    configMaps.put(ID, document(userEntry('mallory')));
    await revocations.start();
    configMaps.failWith('getConfigMap', forbidden());
    await clock.advance(TOO_OLD_MS);
    expect(revocations.now().known).toBe(false);
    expect(usersNow()).toEqual(['mallory']);
    expect(logged()).toMatchObject([
      { level: 'info', message: 'Revocations read', configMap: ID, revocations: 1 },
      {
        level: 'warn',
        message: 'Revocations cannot be read; the last ones count for 30 s, then nobody gets credentials',
      },
    ]);
    expect(revocations.now()).toMatchObject({ why: 'forbidden: GET configmap: 403' });
    stop();
  });

  it('says that a list which never was good lets nobody have credentials', async () => {
    const { revocations, configMaps, logged, stop } = await setUp();
    configMaps.put(ID, { 'revocations.yaml': 'version: 2' });
    await revocations.start();
    expect(logged()).toMatchObject([
      { message: 'Revocations cannot be understood; nobody gets credentials until it is mended' },
    ]);
    stop();
  });

  it('is a dependency that is there once the list was read, and tells why it is not', async () => {
    const { revocations, configMaps, clock, stop } = await setUp({ file: [] });
    const { name, required, check } = revocations.dependency;
    expect([name, required]).toEqual(['revocations', 'until-first-success']);
    const { signal } = new AbortController();
    await expect(check(signal)).rejects.toThrow('not been read yet');
    configMaps.failWith('getConfigMap', forbidden());
    await revocations.start();
    await expect(check(signal)).rejects.toMatchObject({ fix: 'Grant `get` on `configmaps`' });
    configMaps.failWith('getConfigMap', undefined);
    await clock.advance(POLLED_MS);
    await check(signal);
    stop();
  });

  it('keeps the last good list when the new one cannot be understood, and says so once', async () => {
    const { revocations, configMaps, clock, usersNow, logged, stop } = await setUp();
    configMaps.put(ID, document(userEntry('mallory')));
    await revocations.start();
    logged();
    configMaps.put(ID, { 'revocations.yaml': 'hunter2: [' });
    await clock.advance(TOO_OLD_MS);
    expect(usersNow()).toEqual(['mallory']);
    expect(revocations.now().known).toBe(true);
    const lines = logged();
    expect(lines).toMatchObject([
      { level: 'warn', message: 'Revocations cannot be understood; the last good ones count', configMap: ID },
    ]);
    expect(JSON.stringify(lines)).not.toContain('hunter2: [');
    stop();
  });

  it('joins the ConfigMap and the file', async () => {
    const file = [
      { user: 'eve', revokedAt: 0, until: undefined, reason: '' },
    ] satisfies readonly Revocation[];
    const { revocations, configMaps, clock, usersNow, stop } = await setUp({ file });
    await revocations.start();
    expect(revocations.now()).toEqual({ known: true, revocations: file });
    configMaps.put(ID, document(userEntry('mallory')));
    await clock.advance(POLLED_MS);
    expect(usersNow()).toEqual(['mallory', 'eve']);
    stop();
  });

  it('shows how many are in force, and when they were last read', async () => {
    const { revocations, configMaps, clock, shown, stop } = await setUp();
    expect(await shown('last_read')).toEqual([]);
    configMaps.put(ID, document(userEntry('mallory'), userEntry('eve'), podEntry));
    await revocations.start();
    const count = (kind: string, value: number) => `kerbridge_revocations_in_force{kind="${kind}"} ${value}`;
    expect(await shown('in_force')).toEqual([count('user', 2), count('pod', 1)]);
    expect(await shown('last_read')).toEqual([
      `kerbridge_revocations_last_read_timestamp_seconds ${clock.now() / 1000}`,
    ]);
    await clock.advance(Date.parse(until) - clock.now());
    expect(await shown('in_force')).toEqual([count('user', 2), count('pod', 0)]);
    stop();
  });

  it('reads in the namespace kerbridge when a kubeconfig is used and none is named', async () => {
    const { revocations, configMaps, stop } = await setUp({ namespace: null });
    await revocations.start();
    expect(configMaps.calls).toEqual(['get kerbridge/revoked']);
    stop();
  });

  it('reads no more once it is stopped', async () => {
    const { revocations, configMaps, clock, stop } = await setUp();
    await revocations.start();
    stop();
    await clock.advance(TOO_OLD_MS);
    expect(configMaps.calls).toHaveLength(1);
    expect(clock.sleeping).toBe(0);
  });
});
