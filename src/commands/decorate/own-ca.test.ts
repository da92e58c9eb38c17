import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeSecretRecords, lostReply } from '../../../test/fakes/fake-secret-records.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { send } from '../../../test/fakes/webhook-client.ts';
import { systemClock } from '../../time/clock.ts';
import { HttpServer } from '../serve/http-server.ts';
import { issuer } from './issue-certificate.ts';
import { LOOK_INTERVAL_MS, OwnCa, type OwnCaEvent, type OwnCaOptions } from './own-ca.ts';
import { formatOwnCaState, parseOwnCaState } from './own-ca-state.ts';
import { carryOut, type CertificatePolicy, planCertificates } from './plan-certificates.ts';

const SECRET = 'kerbridge-webhook-ca';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const POLICY: CertificatePolicy = {
  names: ['kerbridge-webhook.kerbridge.svc', 'localhost'],
  authorityLifeMs: 90 * DAY,
  servingLifeMs: 9 * DAY,
  settleMs: HOUR,
  backdateMs: HOUR,
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The caBundle of a webhook configuration, and the Secret that replicas share. */
function cluster(clock = new FakeClock()) {
  const secrets = new FakeSecretRecords(clock);
  const world = {
    clock,
    secrets,
    bundle: '',
    failing: undefined as Error | undefined,
    writes: 0,
    open: async (options: Partial<OwnCaOptions> = {}) => {
      const events: string[] = [];
      const ownCa = await OwnCa.open({
        secrets: secrets.open(),
        secretName: SECRET,
        putBundle: async (caBundle) => {
          await Promise.resolve();
          if (world.failing !== undefined) throw world.failing;
          if (world.bundle === caBundle) return 'unchanged';
          world.bundle = caBundle;
          world.writes += 1;
          return 'written';
        },
        policy: POLICY,
        issuer,
        clock,
        onEvent: (event: OwnCaEvent) =>
          events.push(event.event === 'changed' ? event.actions.join(' ') : event.event),
        ...options,
      });
      ends.push(() => ownCa.stop());
      return { ownCa, events };
    },
    state: () => parseOwnCaState(secrets.textOf(SECRET) ?? ''),
    certificates: () => world.bundle.match(/BEGIN CERTIFICATE/g)?.length ?? 0,
  };
  return world;
}

/** Time goes by in one leap, but for the last look. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  clock.set(clock.now() + Math.max(0, ms - LOOK_INTERVAL_MS));
  await clock.advance(Math.min(ms, LOOK_INTERVAL_MS));
  for (let turn = 0; turn < 5; turn += 1) await settle();
}

describe('OwnCa', () => {
  it('makes what is missing: the Secret, then the bundle', async () => {
    const world = cluster();
    const { ownCa, events } = await world.open();
    expect(events).toEqual(['add-authority issue-serving', 'bundle-written']);
    expect(world.certificates()).toBe(1);
    expect(ownCa.current.certificates).toBe(world.state().serving?.certificate);
    await expect(ownCa.check()).resolves.toBeUndefined();
    expect(ownCa.authorityNotAfter).toBe(world.clock.now() + 90 * DAY);
  });

  it('takes what there is, and makes nothing', async () => {
    const world = cluster();
    const { ownCa: first } = await world.open();
    const text = world.secrets.textOf(SECRET);
    const { ownCa: second, events } = await world.open();
    expect(events).toEqual([]);
    expect(second.current.certificates).toBe(first.current.certificates);
    await pass(world.clock, DAY);
    expect(world.secrets.textOf(SECRET)).toBe(text);
    expect(world.writes).toBe(1);
  });

  it('agrees with a replica that begins at the same moment: the first to write wins', async () => {
    const world = cluster();
    const opened = await Promise.all([world.open(), world.open(), world.open()]);
    expect(new Set(opened.map(({ ownCa }) => ownCa.current.certificates)).size).toBe(1);
    expect(opened.flatMap(({ events }) => events).filter((event) => event === 'outrun')).toHaveLength(2);
    expect(opened.flatMap(({ events }) => events).filter((event) => event.startsWith('add'))).toHaveLength(1);
    expect(world.certificates()).toBe(1);
  });

  it('goes through rotations with two replicas: both show the same, which the bundle trusts', async () => {
    const world = cluster();
    const { ownCa: one } = await world.open();
    const { ownCa: other } = await world.open();
    const shown = new Set<string>();
    const authorities = new Set<string>();
    for (let day = 0; day < 130; day += 1) {
      await pass(world.clock, DAY);
      await pass(world.clock, LOOK_INTERVAL_MS);
      expect(one.current.certificates).toBe(other.current.certificates);
      const { serving, authorities: known } = world.state();
      expect(world.bundle).toContain(known.find(({ id }) => id === serving?.authority)?.certificate ?? '?');
      shown.add(one.current.certificates);
      authorities.add(serving?.authority ?? '');
      expect(world.certificates()).toBeLessThanOrEqual(2);
    }
    expect(shown.size).toBeGreaterThan(20);
    expect(authorities.size).toBe(3);
  });

  it('mends the bundle after a crash between the Secret and the bundle', async () => {
    const world = cluster();
    const now = world.clock.now();
    const context = { now, policy: POLICY, isBundled: false };
    const state = carryOut(undefined, planCertificates(undefined, context), { ...context, issuer });
    world.secrets.put(SECRET, formatOwnCaState(state).reveal());
    const { ownCa, events } = await world.open();
    expect(events).toEqual(['bundle-written']);
    expect(ownCa.current.certificates).toBe(state.serving?.certificate);
  });

  it('mends a bundle that somebody has overwritten, at the next look', async () => {
    const world = cluster();
    await world.open();
    const { bundle } = world;
    world.bundle = '';
    await pass(world.clock, LOOK_INTERVAL_MS);
    expect(world.bundle).toBe(bundle);
  });

  it('puts a Secret back that somebody has deleted, and shows the same', async () => {
    const world = cluster();
    const { ownCa } = await world.open();
    const text = world.secrets.textOf(SECRET);
    world.secrets.delete(SECRET);
    await pass(world.clock, LOOK_INTERVAL_MS);
    expect(world.secrets.textOf(SECRET)).toBe(text);
    expect(ownCa.current.certificates).toBe(world.state().serving?.certificate);
    expect(world.certificates()).toBe(1);
  });

  it.each(['create', 'replace'] as const)(
    'finds what it wrote when the reply to %s is lost',
    async (operation) => {
      const world = cluster();
      if (operation === 'create') {
        world.secrets.failNext('create', lostReply(), { isLate: true });
        await expect(world.open()).rejects.toThrow('ECONNRESET');
        const { events } = await world.open();
        expect(events).toEqual(['bundle-written']);
      } else {
        const { ownCa, events } = await world.open();
        world.secrets.failNext('replace', lostReply(), { isLate: true });
        await pass(world.clock, 6 * DAY);
        expect(events.slice(2)).toEqual(['failed']);
        await pass(world.clock, LOOK_INTERVAL_MS);
        expect(ownCa.current.certificates).toBe(world.state().serving?.certificate);
        await expect(ownCa.check()).resolves.toBeUndefined();
      }
    },
  );

  it('lets a new authority sign nothing while the bundle can’t be written, and says so', async () => {
    const world = cluster();
    const { ownCa, events } = await world.open();
    const [first] = world.state().authorities;
    world.failing = new Error('forbidden');
    for (let day = 0; day < 70; day += 1) await pass(world.clock, DAY);
    expect(world.state().authorities).toHaveLength(2);
    expect(world.certificates()).toBe(1);
    expect(world.state().serving?.authority).toBe(first?.id);
    expect(events).toContain('bundle-failed');
    await expect(ownCa.check()).rejects.toThrow('forbidden');

    world.failing = undefined;
    await pass(world.clock, LOOK_INTERVAL_MS);
    expect(world.certificates()).toBe(2);
    await expect(ownCa.check()).resolves.toBeUndefined();
    for (let day = 0; day < 7; day += 1) await pass(world.clock, DAY);
    expect(world.state().serving?.authority).toBe(world.state().authorities.at(-1)?.id);
  });

  it('starts where the bundle can’t be written, as API servers may have it already', async () => {
    const world = cluster();
    world.failing = new Error('forbidden');
    const { ownCa, events } = await world.open();
    expect(events).toEqual(['add-authority issue-serving', 'bundle-failed']);
    await expect(ownCa.check()).rejects.toThrow('forbidden');
  });

  it.each([
    ['of another type', undefined, /is of another type: delete it/],
    ['of somebody else', 'hello', /holds no JSON: delete it/],
    ['of a later version', '{"v":2}', /form of this version: delete it/],
  ])('does not start over a Secret %s, and leaves it as it is', async (_name, text, message) => {
    const world = cluster();
    const before = world.secrets.put(SECRET, text);
    await expect(world.open()).rejects.toThrow(message);
    expect(await world.secrets.open().get(SECRET)).toMatchObject(before);
    expect(world.bundle).toBe('');
  });

  it('does not start without the API server', async () => {
    const world = cluster();
    world.secrets.failNext('get', lostReply());
    await expect(world.open()).rejects.toThrow('ECONNRESET');
    expect(world.clock.sleeping).toBe(0);
  });

  it('goes on with what it shows when the Secret becomes unreadable, and looks again sooner', async () => {
    const world = cluster();
    const { ownCa, events } = await world.open();
    const { certificates } = ownCa.current;
    const text = world.secrets.textOf(SECRET);
    world.secrets.put(SECRET, 'hello');
    await pass(world.clock, LOOK_INTERVAL_MS);
    expect(events.at(-1)).toBe('failed');
    await expect(ownCa.check()).rejects.toThrow('holds no JSON');
    expect(ownCa.current.certificates).toBe(certificates);
    world.secrets.put(SECRET, text);
    await pass(world.clock, 5_000);
    await expect(ownCa.check()).resolves.toBeUndefined();
  });

  it('gives up where others always write in between', async () => {
    const world = cluster();
    const { create, ...secrets } = world.secrets.open();
    let calls = 0;
    await expect(
      world.open({
        secrets: {
          ...secrets,
          create: async (...given) => {
            calls += 1;
            void create;
            void given;
            return await Promise.resolve(undefined);
          },
        },
      }),
    ).rejects.toThrow('5 times in a row');
    expect(calls).toBe(5);
  });

  it('says nothing of a key in what it tells', async () => {
    const world = cluster();
    const told: OwnCaEvent[] = [];
    await world.open({ onEvent: (event) => told.push(event) });
    expect(JSON.stringify([told, world.secrets.lastAnnotations, world.bundle])).not.toContain('PRIVATE KEY');
  });

  it('stops while it waits', async () => {
    const world = cluster();
    const { ownCa } = await world.open();
    await ownCa.stop();
    expect(world.clock.sleeping).toBe(0);
  });
});

describe('a certificate of our own authority', () => {
  /** Clients look at the real time. */
  const { now } = systemClock;
  const bashOf = promisify(execFile);

  it('is taken by TLS clients across a rotation, of old and new bundle', async () => {
    const world = cluster(new FakeClock(now() - 67 * DAY));
    const { ownCa } = await world.open();
    const seen = observedRefusals();
    const server = new HttpServer({
      listener: (_request, response) => response.end('done'),
      refusals: seen.refusals,
      tls: { pair: ownCa.current },
    });
    ownCa.follow((pair) => server.useCertificate(pair));
    const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
    ends.push(() => server.stop(0, seen.clock));
    const ask = (ca: string, servername: string) => send({ port, ca, servername, body: '' });

    // 61 days: the second authority is there, and its certificate not yet.
    for (let day = 0; day < 61; day += 1) await pass(world.clock, DAY);
    expect(world.certificates()).toBe(2);
    const both = world.bundle;
    const [old = '', young = ''] = both.split(/(?<=-----END CERTIFICATE-----\n)/);
    for (const name of POLICY.names) expect(await ask(both, name)).toMatchObject({ status: 200 });
    expect(await ask(old, 'localhost')).toMatchObject({ status: 200 });
    await expect(ask(young, 'localhost')).rejects.toThrow();

    // With the next certificate, the second signs: who has both trusts it, and so does who has forgotten the first.
    for (let half = 0; half < 12; half += 1) await pass(world.clock, DAY / 2);
    expect(world.state().serving?.authority).toBe(world.state().authorities[1]?.id);
    expect(world.bundle).toBe(both);
    for (const bundle of [both, young]) expect(await ask(bundle, 'localhost')).toMatchObject({ status: 200 });
    await expect(ask(old, 'localhost')).rejects.toThrow();
    await expect(ask(both, 'other.kerbridge.svc')).rejects.toThrow(/altnames/);
  });

  it('is right by the rules of OpenSSL at its strictest, for a server and nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerbridge-own-ca-'));
    ends.push(() => rm(folder, { recursive: true }));
    const world = cluster(new FakeClock(now()));
    const { ownCa } = await world.open({
      policy: { ...POLICY, names: [...POLICY.names, '127.0.0.1', '::1'] },
    });
    const ca = join(folder, 'ca.pem');
    const leaf = join(folder, 'leaf.pem');
    await writeFile(ca, world.bundle);
    await writeFile(leaf, ownCa.current.certificates);
    const verify = (...given: string[]) =>
      bashOf('openssl', ['verify', '-x509_strict', '-check_ss_sig', '-CAfile', ca, ...given, leaf]);
    for (const given of [
      ['-purpose', 'sslserver', '-verify_hostname', 'kerbridge-webhook.kerbridge.svc'],
      ['-purpose', 'sslserver', '-verify_ip', '127.0.0.1'],
      ['-purpose', 'sslserver', '-verify_ip', '::1'],
    ]) {
      expect((await verify(...given)).stdout).toBe(`${leaf}: OK\n`);
    }
    await expect(verify('-purpose', 'sslclient')).rejects.toThrow(/purpose/);
    await expect(verify('-verify_hostname', 'other.kerbridge.svc')).rejects.toThrow(/mismatch/i);
    await expect(verify('-attime', String(Math.floor(now() / 1000) + 10 * 86_400))).rejects.toThrow(
      /expired/,
    );
  });
});
