import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MINUTE_MS, SECRET, StampKeysWorld } from '../../../test/fakes/stamp-keys-world.ts';
import type { StampSigningKey } from '../../identity/stamps/stamp-keys.ts';
import { KubernetesApiError, type KubernetesApiFailure } from '../../kubernetes/kubernetes-api-error.ts';

const UNKNOWN = 'x'.repeat(43);
const failure = (code: KubernetesApiFailure) => new KubernetesApiError(code, `LIST pods: ${code}`);

let world: StampKeysWorld;
let old: StampSigningKey;
let key: StampSigningKey;
let printed: StampKeysWorld['printed'];
/** `key` signs for long, `old` did before. */
beforeEach(async () => {
  world = new StampKeysWorld();
  ({ printed } = world);
  [old, key] = [world.newKey(), world.newKey()];
  world.put([key, old]);
  world.publish(key, old);
  await world.clock.advance(5 * MINUTE_MS);
});
afterEach(() => {
  expect(world.leaks()).toEqual([]);
});

const retire = (kid: string, { now = false, stolen = false, json = false } = {}) =>
  world.run({ action: 'retire', key: kid, now, stolen }, { json });
const list = (json = false) => world.run({ action: 'list' }, { json });
const listed = () => JSON.parse(printed.out) as object;

describe('kerbridge stamp-keys retire', () => {
  it.each([{}, { now: true }, { stolen: true }])('never takes out the one that signs: %j', async (given) => {
    expect(await retire(key.kid, given)).toBe(3);
    expect(printed.error).toMatch(/refused: .{43} signs: let another one sign first/);
    expect(world.kids()).toEqual([key.kid, old.kid]);
  });

  it('takes out no key of one', async () => {
    world.put([key]);
    expect(await retire(key.kid, { stolen: true })).toBe(3);
    expect(world.kids()).toEqual([key.kid]);
  });

  it('does not know a key that is not there', async () => {
    expect(await retire(UNKNOWN, { stolen: true })).toBe(1);
    expect(printed.error).toMatch(/has no key x{43}/);
  });

  it.each([1, 5, 6])('refuses while %d live pods carry a stamp of it, and names some', async (count) => {
    for (let index = 0; index < count; index += 1) world.addPod(`job-${index}`, old);
    world.addPod('other', key);
    for (const now of [false, true]) expect(await retire(old.kid, { now })).toBe(3);
    expect(printed.out).toBe('');
    expect(printed.error).toContain(`refused: ${count} live pod(s) carry a stamp of ${old.kid}`);
    expect(printed.error.match(/team-a\/job-\d/g)).toHaveLength(Math.min(count, 5));
    expect(printed.error.includes(' and 1 more.')).toBe(count === 6);
    expect(printed.error).not.toContain(world.stampOf('job-0'));
    expect(world.kids()).toEqual([key.kid, old.kid]);
  });

  it('counts a pod that is about to end, and one that has not begun', async () => {
    world.addPod('ending', old, { deletionTimestamp: 1 });
    world.addPod('pending', old, { phase: 'Pending' });
    expect(await retire(old.kid)).toBe(3);
    expect(printed.error).toContain('refused: 2 live pod(s)');
  });

  it.each<[KubernetesApiFailure, number]>([
    ['forbidden', 3],
    ['unauthorized', 3],
    ['timeout', 4],
    ['server-error', 4],
    ['bad-reply', 1],
  ])('could not check when pods can not be listed: %s ends with %d', async (code, exitCode) => {
    world.listFailure = failure(code);
    world.addPod('other', key);
    expect(await retire(old.kid)).toBe(exitCode);
    expect(printed.error).toMatch(
      /could not check which pods carry a stamp of .{43}, so nothing was changed: LIST pods/,
    );
    expect(printed.error).toContain('--stolen does not ask');
    if (code === 'forbidden') expect(printed.error).toContain('`list` on `pods` in all namespaces');
    expect(world.kids()).toEqual([key.kid, old.kid]);
  });

  it.each([
    ['does not say yet that the other signs', () => world.publish(old, key)],
    ['is not there', () => world.configMaps.put(`${SECRET.namespace}/${SECRET.name}`, undefined)],
  ])('refuses, with --now too, while the ConfigMap %s', async (_name, change) => {
    change();
    await world.clock.advance(5 * MINUTE_MS);
    for (const now of [false, true]) {
      expect(await retire(old.kid, { now })).toBe(3);
      expect(printed.error).toMatch(/does not say yet that .{43} signs, .* is decorate running/);
    }
    expect(world.kids()).toEqual([key.kid, old.kid]);
  });

  it('refuses while a replica of decorate may still sign with it, but for --now', async () => {
    world.publish(key, old);
    await world.clock.advance(5 * MINUTE_MS - 1);
    expect(await retire(old.kid)).toBe(3);
    expect(printed.error).toMatch(/less than five minutes ago, and replicas of decorate may still sign with/);
    expect(await retire(old.kid, { now: true })).toBe(0);
  });

  it('looks at the pods again when another has written in between', async () => {
    world.beforeReplace = () => {
      world.put([key, old]);
      world.addPod('late', old);
    };
    expect(await retire(old.kid)).toBe(3);
    expect(printed.error).toContain('team-a/late');
  });

  it('takes it out when only pods are left that have ended, or have no good stamp of it', async () => {
    world.addPod('done', old, { phase: 'Succeeded' });
    world.addPod('failed', old, { phase: 'Failed' });
    world.addPod('other', key);
    world.addPod('thief', world.stampOf('done'));
    expect(await retire(old.kid)).toBe(0);
    expect(world.kids()).toEqual([key.kid]);
    expect(printed.error).toBe('');
    expect(printed.out).toContain(`retired: ${old.kid}\n`);
    expect(printed.out).toContain('Workloads whose template has its stamp get no new pods until');
    expect(world.selectors).toEqual(['kerbridge.dev/stamped=true']);
  });

  it('takes a stolen one out at once, and says who loses by it', async () => {
    world.publish(old);
    world.addPod('job-1', old);
    expect(await retire(old.kid, { stolen: true })).toBe(0);
    expect(printed.out).toContain('1 live pod(s) get nothing more until they are made anew: team-a/job-1');
    expect(world.kids()).toEqual([key.kid]);
  });

  it('takes a stolen one out when pods can not be listed, and says so', async () => {
    world.listFailure = failure('timeout');
    expect(await retire(old.kid, { stolen: true, json: true })).toBe(0);
    expect(printed.error).toMatch(/could not count the pods that carry its stamp: LIST pods: timeout/);
    expect(listed()).toEqual({ result: 'retired', secret: SECRET, kid: old.kid, pods: null, named: [] });
    expect(world.kids()).toEqual([key.kid]);
  });
});

describe('kerbridge stamp-keys list', () => {
  it('shows who signs, what is published, and how many pods depend on each', async () => {
    const [announced, gone] = [world.newKey(), world.newKey()];
    world.put([key, old, announced], { announced: [announced] });
    world.publish(key, old, gone);
    world.addPod('a', old);
    world.addPod('b', old);
    world.addPod('c', key);
    world.addPod('copied', world.stampOf('a'));
    world.addPod('no-stamp', undefined);
    world.addPod('no-header', 'a.b.c');
    expect(await list(true)).toBe(0);
    expect(listed()).toEqual({
      result: 'listed',
      secret: SECRET,
      keys: [
        { kid: key.kid, role: 'signs', published: true, pods: 1 },
        { kid: old.kid, role: 'verifies', published: true, pods: 2 },
        { kid: announced.kid, role: 'announced', published: false, pods: 0 },
        { kid: gone.kid, role: 'retired', published: true, pods: null },
      ],
      publishedAt: '2026-01-01T00:05:00.000Z',
      podsOfNone: 3,
    });

    expect(await list()).toBe(0);
    const row = (...cells: string[]) => expect.stringMatching(new RegExp(`^${cells.join(' +')}$`));
    expect(printed.out.split('\n')).toEqual([
      row('KEY', 'ROLE', 'PUBLISHED', 'PODS'),
      row(key.kid, 'signs', 'yes', '1'),
      row(old.kid, 'verifies', 'yes', '2'),
      row(announced.kid, 'announced', 'no', '0'),
      row(gone.kid, 'retired', 'yes'),
      'ConfigMap kerbridge/kerbridge-stamp-keys was written 2026-01-01T00:05:00.000Z.',
      '3 live pod(s) carry a stamp that is of none of these keys, or not theirs.',
      '',
    ]);
  });

  it('counts a stamp of a key that is gone for none [stamp-key]', async () => {
    world.addPod('of-before', world.newKey());
    expect(await list(true)).toBe(0);
    expect(listed()).toMatchObject({ keys: [{ pods: 0 }, { pods: 0 }], podsOfNone: 1 });
  });

  it('counts what only names a key for none [stamp-signature]', async () => {
    world.addPod('good', old);
    world.addPod('forged', `${world.stampOf('good').slice(0, -4)}AAAA`);
    // It says that it is this pod's, and of a key: nobody keeps a key from being retired by that.
    world.addPod('of-another-key', world.newKey());
    const [, payload = '', signature = ''] = world.stampOf('of-another-key').split('.');
    const [header = ''] = world.stampOf('good').split('.');
    world.pods.pop();
    world.addPod('of-another-key', `${header}.${payload}.${signature}`);
    expect(await list(true)).toBe(0);
    expect(listed()).toMatchObject({ keys: [{ pods: 0 }, { pods: 1 }], podsOfNone: 2 });
  });

  it('says that decorate has not published, or not taken up who signs', async () => {
    world.publish(old, key);
    await list();
    expect(printed.out).toContain(
      `It does not say yet that ${key.kid} signs: decorate takes that up within 30 s.`,
    );
    world.configMaps.put(`${SECRET.namespace}/${SECRET.name}`, { 'stamp-keys.json': '{}' });
    await list();
    expect(printed.out).toContain('has no valid keys: decorate publishes them; is it running?');
  });

  it.each<[KubernetesApiFailure, number]>([
    ['forbidden', 3],
    ['unreachable', 4],
  ])('shows the keys when pods can not be counted, and ends for %s with %d', async (code, exitCode) => {
    world.listFailure = failure(code);
    expect(await list()).toBe(exitCode);
    expect(printed.out).toMatch(new RegExp(`${old.kid} +verifies +yes +\\?\n`));
    expect(printed.error).toMatch(/^kerbridge stamp-keys: could not count the pods: LIST pods/);
    expect(await list(true)).toBe(exitCode);
    expect(listed()).toMatchObject({ podsOfNone: null });
  });

  it('ends as for all when the ConfigMap can not be read', async () => {
    world.configMaps.failWith('getConfigMap', failure('forbidden'));
    expect(await list()).toBe(3);
    expect(printed.out).toBe('');
  });
});
