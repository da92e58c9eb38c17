import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lostReply } from '../../../test/fakes/fake-secret-records.ts';
import { CONFIG_MAP, MINUTE_MS, SECRET, StampKeysWorld } from '../../../test/fakes/stamp-keys-world.ts';
import { MAX_STAMP_KEYS, type StampSigningKey } from '../../identity/stamps/stamp-keys.ts';
import { KubernetesApiError, type KubernetesApiFailure } from '../../kubernetes/kubernetes-api-error.ts';
import { ANNOUNCED_ANNOTATION } from './key-set.ts';
import type { StampKeysRequest } from './run-stamp-keys.ts';

const UNKNOWN = 'x'.repeat(43);
const failure = (code: KubernetesApiFailure) => new KubernetesApiError(code, code, { fix: 'the fix' });

let world: StampKeysWorld;
let old: StampSigningKey;
let next: StampSigningKey;
let printed: StampKeysWorld['printed'];
beforeEach(() => {
  world = new StampKeysWorld();
  ({ printed } = world);
  [old, next] = [world.newKey(), world.newKey()];
});
afterEach(() => {
  expect(world.leaks()).toEqual([]);
});

const announce = (another = false) => world.run({ action: 'announce', another });
const promote = ({ key, now = false }: { key?: string; now?: boolean } = {}) =>
  world.run({ action: 'promote', key, now });
const text = () => world.secrets.textOf(SECRET.name);
const announced = () => world.secrets.marksOf(SECRET.name).annotations[ANNOUNCED_ANNOTATION];

/** `next` is announced and published for long. */
function putAnnounced(): void {
  world.put([old, next], { announced: [next] });
  world.publish(old, next);
}
/** `next` signs for long. */
function putPromoted(): void {
  world.put([next, old]);
  world.publish(next, old);
}
const pass = (ms = 5 * MINUTE_MS) => world.clock.advance(ms);

/** Of all four. */
const REQUESTS: readonly [string, () => StampKeysRequest][] = [
  ['list', () => ({ action: 'list' })],
  ['announce', () => ({ action: 'announce', another: true })],
  ['promote', () => ({ action: 'promote', key: next.kid, now: true })],
  ['retire', () => ({ action: 'retire', key: next.kid, now: false, stolen: true })],
];

describe.each(REQUESTS)('kerbridge stamp-keys %s', (action, request) => {
  it.each<[string, string | undefined, RegExp]>([
    [
      'is of another type, or has no such key',
      undefined,
      /has no key set of type kerbridge\.dev\/stamp-keys/,
    ],
    ['holds no JSON', 'hunter2 hunter2', /holds no valid key set, .* is no JSON/],
    ['holds no keys', '{"keys":[]}', /no valid key set, .* keys is empty/],
    ['holds damaged keys', '{"keys":[{"kty":"hunter2"}]}', /keys\[0\]\.kty must be "OKP"/],
  ])('ends with 1 and writes nothing where the Secret %s', async (_name, content, message) => {
    world.secrets.put(SECRET.name, content);
    world.publish(old, next);
    await pass();
    expect(await world.run(request())).toBe(1);
    expect(printed.out).toBe('');
    expect(printed.error).toMatch(message);
    expect(printed.error).toMatch(
      /^kerbridge stamp-keys: Secret kerbridge\/kerbridge-stamp-keys .* was left as it is/,
    );
    expect(printed.error).not.toContain('hunter2');
    expect(text()).toBe(content);
  });

  it('ends with 1 where there is no Secret, and makes none', async () => {
    expect(await world.run(request())).toBe(1);
    expect(printed.error).toMatch(
      /there is no Secret kerbridge\/kerbridge-stamp-keys: `kerbridge decorate` makes it/,
    );
    expect(world.secrets.names).toEqual([]);
  });

  it.each<[KubernetesApiFailure, number]>([
    ['credentials', 1],
    ['unauthorized', 3],
    ['forbidden', 3],
    ['unreachable', 4],
    ['timeout', 4],
    ['too-many-requests', 4],
    ['server-error', 4],
    ['bad-reply', 1],
  ])('ends for %s with %d, and names the right', async (code, exitCode) => {
    for (const operation of action === 'list' ? (['get'] as const) : (['get', 'replace'] as const)) {
      putAnnounced();
      world.secrets.failNext(operation, failure(code));
      const before = text();
      expect(await world.run(request())).toBe(exitCode);
      expect(printed.out).toBe('');
      expect(printed.error).toMatch(new RegExp(`^kerbridge stamp-keys: ${code}`));
      if (code === 'forbidden') {
        const verb = operation === 'get' ? 'get' : 'update';
        expect(printed.error).toContain(
          `\`${verb}\` on \`secrets\` (name \`kerbridge-stamp-keys\`) in namespace \`kerbridge\` with a Role`,
        );
      }
      expect(text()).toBe(before);
    }
  });
});

describe.each(REQUESTS.filter(([action]) => action !== 'list'))(
  'kerbridge stamp-keys %s, which writes,',
  (_action, request) => {
    it('says that it may be written all the same when the reply is lost', async () => {
      putAnnounced();
      world.secrets.failNext('replace', lostReply(), { isLate: true });
      expect(await world.run(request())).toBe(4);
      expect(printed.error).toMatch(
        /may have been written all the same; look with `kerbridge stamp-keys list`/,
      );
    });

    it('gives up when others write each time, and has not written', async () => {
      putAnnounced();
      let times = 0;
      world.beforeReplace = () => {
        times += 1;
        putAnnounced();
      };
      const before = text();
      expect(await world.run(request())).toBe(1);
      expect(printed.error).toMatch(/changed by others 5 times in a row, and not by us; find out who/);
      expect(times).toBe(5);
      expect(text()).toBe(before);
    });

    it('keeps what else is on the Secret', async () => {
      putAnnounced();
      world.secrets.mark(SECRET.name, { labels: { backup: 'daily' }, annotations: { 'team/note': 'ours' } });
      expect(await world.run(request())).toBe(0);
      expect(world.secrets.marksOf(SECRET.name)).toMatchObject({
        labels: { backup: 'daily' },
        annotations: { 'team/note': 'ours' },
      });
    });
  },
);

describe('kerbridge stamp-keys announce', () => {
  it('refuses while one that was announced does not sign', async () => {
    putAnnounced();
    expect(await announce()).toBe(3);
    expect(printed).toEqual({
      out: '',
      error: `kerbridge stamp-keys: refused: ${next.kid} was announced and does not sign yet: promote it, or add one more with --another\n`,
    });
    expect(world.kids()).toEqual([old.kid, next.kid]);
  });

  it('refuses it too when another operator has announced in between', async () => {
    world.put([old]);
    world.beforeReplace = () => putAnnounced();
    expect(await announce()).toBe(3);
    expect(world.kids()).toEqual([old.kid, next.kid]);
  });

  it(`refuses more than ${MAX_STAMP_KEYS} keys`, async () => {
    const keys = Array.from({ length: MAX_STAMP_KEYS - 1 }, () => world.newKey());
    world.put(keys);
    expect(await announce()).toBe(0);
    expect(world.kids()).toHaveLength(MAX_STAMP_KEYS);
    for (const another of [false, true]) expect(await announce(another)).toBe(3);
    expect(printed.error).toMatch(/there are 64 keys, and no more are taken: retire old ones first/);
    expect(world.kids()).toHaveLength(MAX_STAMP_KEYS);
  });

  it('adds a key that does not sign, and says what is next', async () => {
    world.put([old]);
    expect(await announce()).toBe(0);
    const [first, added = ''] = world.kids();
    expect([first, announced()]).toEqual([old.kid, added]);
    expect(printed.error).toBe('');
    expect(printed.out).toContain(`announced: ${added}`);
    expect(printed.out).toContain(
      `Next, in six minutes or later: kerbridge stamp-keys promote --key ${added}\n`,
    );
  });

  it('adds one where an older one verifies, and another one when it is told to', async () => {
    putPromoted();
    expect(await announce()).toBe(0);
    expect(await announce(true)).toBe(0);
    expect(world.kids().slice(0, 2)).toEqual([next.kid, old.kid]);
    expect(announced()).toBe(world.kids().slice(2).join(' '));
    expect(world.kids()).toHaveLength(4);
  });

  it('adds the same key to what another has written in between', async () => {
    world.put([old]);
    let times = 0;
    world.beforeReplace = () => {
      times += 1;
      if (times < 3) world.put([next, old]);
    };
    expect(await announce()).toBe(0);
    expect(world.kids()).toEqual([next.kid, old.kid, announced()]);
  });
});

describe('kerbridge stamp-keys promote', () => {
  it.each<[string, () => void, RegExp]>([
    ['is not there', () => world.configMaps.put(CONFIG_MAP, undefined), /is decorate running/],
    ['does not have it', () => world.publish(old), /does not have .* is decorate running/],
    ['is damaged', () => world.configMaps.put(CONFIG_MAP, { 'stamp-keys.json': '{' }), /does not have/],
    ['has other keys alone', () => world.configMaps.put(CONFIG_MAP, { other: 'x' }), /does not have/],
  ])('refuses, with --now too, where the ConfigMap %s', async (_name, change, message) => {
    putAnnounced();
    change();
    await pass();
    for (const now of [false, true]) {
      expect(await promote({ now })).toBe(3);
      expect(printed.error).toMatch(message);
      expect(printed.error).toContain('refused: ConfigMap kerbridge/kerbridge-stamp-keys');
    }
    expect(world.kids()).toEqual([old.kid, next.kid]);
    expect(announced()).toBe(next.kid);
  });

  it('refuses when it was published less than five minutes ago by the API server’s clock, and says until when', async () => {
    putAnnounced();
    await pass(5 * MINUTE_MS - 1);
    expect(await promote()).toBe(3);
    expect(printed.error).toMatch(
      /less than five minutes ago, and .*: try again at 2026-01-01T00:05:00\.000Z, or with --now if each/,
    );
    expect(world.kids()).toEqual([old.kid, next.kid]);
    await pass(1);
    expect(await promote()).toBe(0);
  });

  it('counts from when the ConfigMap was written last', async () => {
    putAnnounced();
    await pass();
    world.publish(old, next);
    expect(await promote()).toBe(3);
  });

  it('refuses when the API server does not say when that was', async () => {
    putAnnounced();
    await pass();
    const getConfigMap: typeof world.configMaps.getConfigMap = async (...args) => {
      const found = await world.configMaps.getConfigMap(...args);
      return found === undefined ? undefined : { ...found, dataWrittenAt: undefined };
    };
    expect(await world.run({ action: 'promote', key: undefined, now: false }, { getConfigMap })).toBe(3);
    expect(printed.error).toMatch(
      /does not say when .* was written, and .*: wait five minutes, then add --now/,
    );
    expect(await world.run({ action: 'promote', key: undefined, now: true }, { getConfigMap })).toBe(0);
  });

  it.each([
    ['none was announced', [] as const, /no key was announced: announce one, or name with --key/],
    ['several were announced', ['next', 'third'] as const, /several were announced, name one with --key: /],
  ])('wants the key named where %s', async (_name, names, message) => {
    const keys = { next, third: world.newKey() };
    world.put([old, next, keys.third], { announced: names.map((name) => keys[name]) });
    world.publish(old, next, keys.third);
    await pass();
    expect(await promote()).toBe(3);
    expect(printed.error).toMatch(message);
    expect(await promote({ key: keys.third.kid })).toBe(0);
    expect(world.kids()).toEqual([keys.third.kid, old.kid, next.kid]);
    expect(announced()).toBe(names.length === 0 ? undefined : next.kid);
  });

  it('does not know a key that is not there', async () => {
    putAnnounced();
    expect(await promote({ key: UNKNOWN, now: true })).toBe(1);
    expect(printed.error).toMatch(
      /Secret kerbridge\/kerbridge-stamp-keys has no key x{43}; `kerbridge stamp-keys list`/,
    );
  });

  it('could not check when the ConfigMap can not be read', async () => {
    putAnnounced();
    world.configMaps.failWith('getConfigMap', failure('timeout'));
    expect(await promote({ now: true })).toBe(4);
    expect(world.kids()).toEqual([old.kid, next.kid]);
  });

  it('looks at all of it again when another has written in between', async () => {
    putAnnounced();
    await pass();
    world.beforeReplace = () => {
      world.put([old, next], { announced: [next] });
      world.publish(old);
    };
    expect(await promote()).toBe(3);
    expect(world.kids()).toEqual([old.kid, next.kid]);
  });

  it('lets the one that was announced sign, the other verifies on; a second time nothing is written', async () => {
    putAnnounced();
    await pass();
    expect(await promote()).toBe(0);
    expect([world.kids(), announced()]).toEqual([[next.kid, old.kid], undefined]);
    expect(printed.out).toContain(`promoted: ${next.kid}, which signs in the place of ${old.kid}`);
    expect(printed.out).toContain(`kerbridge stamp-keys retire --key ${old.kid}\n`);

    const before = text();
    expect(await promote()).toBe(3);
    expect(await promote({ key: next.kid })).toBe(0);
    expect(printed.out).toBe(`signs already: ${next.kid}; nothing was written\n`);
    expect(text()).toBe(before);
  });
});
