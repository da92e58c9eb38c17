import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PodStamp, signPodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
import {
  formatPrivateKeys,
  newSigningKey,
  rotateKeys,
  type StampPrivateKeys,
} from '../../../src/identity/stamps/stamp-keys.ts';
import { systemClock } from '../../../src/time/clock.ts';
import type { ApiObject, Requester } from '../api-caller.ts';
import {
  ALICE,
  ANNOTATION,
  BOB,
  DecorateWorld,
  podBody,
  podsPath,
  TEAM,
} from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { failure, replaceSigningKeys, signingKeys, verdictOf, withoutWebhooks } from './webhook-trials.ts';

const STAMP = 'kerbridge.dev/stamp';
const SETS = `/apis/apps/v1/namespaces/${TEAM}/replicasets`;

let world: DecorateWorld;
let first: StampPrivateKeys;
/** Of alice's, signed with the first key. */
let hers: ApiObject;

beforeAll(async () => {
  world = await DecorateWorld.open();
  first = await signingKeys(world);
  hers = await post('hers', {}, ALICE);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const post = (name: string, metadata: object, as: Requester): Promise<ApiObject> =>
  world.api.must(podsPath(), { method: 'POST', body: podBody(name, metadata) }, as);
const stampTextOf = ({ metadata }: ApiObject): string => metadata?.annotations?.[STAMP] ?? '';
const nowSeconds = (): number => Math.floor(systemClock.now() / 1000);

const set = (name: string): object => ({
  metadata: { name },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'a:1' }] } },
  },
});
const scale = async (name: string): Promise<void> => {
  const write = { method: 'PATCH', kind: 'merge', body: { spec: { replicas: 1 } } } as const;
  await world.api.must(`${SETS}/${name}/scale`, write, ALICE);
};

async function restartWith(keys: StampPrivateKeys): Promise<void> {
  await world.stop();
  await replaceSigningKeys(world, formatPrivateKeys(keys));
  await world.start();
  await until('decorate is asked again', async () => {
    const { status } = await world.api.call(
      `${podsPath()}?dryRun=All`,
      { method: 'POST', body: podBody('probe') },
      ALICE,
    );
    return status === 201;
  });
}

describe('what serve says of a stamp that bob has put on a pod of his while nobody was asked', () => {
  interface Forged {
    readonly title: string;
    readonly reason: string;
    readonly stamp: (pod: PodStamp) => string;
    /** Default: alice. */
    readonly named?: string;
  }
  const sign = (stamp: PodStamp): string => signPodStamp(stamp, first.keys[0]);
  const tampered = (text: string, change: (header: object) => object): string => {
    const [header = '', payload, signature] = text.split('.');
    const parsed = JSON.parse(Buffer.from(header, 'base64url').toString()) as object;
    return `${Buffer.from(JSON.stringify(change(parsed))).toString('base64url')}.${payload}.${signature}`;
  };
  const FORGED: readonly Forged[] = [
    { title: 'a copy of alice’s', reason: 'stamp-of-other-pod', stamp: () => stampTextOf(hers) },
    {
      title: 'of another namespace',
      reason: 'stamp-of-other-pod',
      stamp: (pod) => sign({ ...pod, namespace: 'team-2' }),
    },
    {
      title: 'of the same name, 61 s before',
      reason: 'stamp-untimely',
      stamp: (pod) => sign({ ...pod, issuedAtSeconds: nowSeconds() - 62 }),
    },
    {
      title: 'of the same name, an hour after',
      reason: 'stamp-untimely',
      stamp: (pod) => sign({ ...pod, issuedAtSeconds: nowSeconds() + 3_600 }),
    },
    {
      title: 'bob’s own, under alice’s name',
      reason: 'stamp-user-differs',
      stamp: (pod) => sign({ ...pod, user: 'bob' }),
    },
    {
      title: 'of a key of bob’s own',
      reason: 'stamp-key-unknown',
      stamp: (pod) => signPodStamp(pod, newSigningKey()),
    },
    {
      title: 'of a key of bob’s own, by the name of ours',
      reason: 'stamp-forged',
      stamp: (pod) =>
        tampered(signPodStamp(pod, newSigningKey()), (header) => ({ ...header, kid: first.keys[0].kid })),
    },
    {
      title: 'of another algorithm',
      reason: 'stamp-malformed',
      stamp: (pod) => tampered(sign(pod), (header) => ({ ...header, alg: 'HS256' })),
    },
    {
      title: 'of no algorithm',
      reason: 'stamp-malformed',
      stamp: (pod) => tampered(sign(pod), (header) => ({ ...header, alg: 'none' })),
    },
    {
      title: 'that brings its key',
      reason: 'stamp-malformed',
      stamp: (pod) => tampered(sign(pod), (header) => ({ ...header, jwk: {} })),
    },
    { title: 'of a template', reason: 'stamp-of-other-type', stamp: () => templateStamp },
    { title: 'none', reason: 'stamp-malformed', stamp: () => '' },
  ];
  let templateStamp: string;
  let pods: readonly ApiObject[];

  beforeAll(async () => {
    const made = await world.api.must(SETS, { method: 'POST', body: set('of-a-template') }, ALICE);
    const { template } = made['spec'] as { template: ApiObject };
    templateStamp = template.metadata?.annotations?.['kerbridge.dev/template-stamp'] ?? '';
    const restore = await withoutWebhooks(world);
    const forged: ApiObject[] = [];
    for (const [index, { stamp }] of FORGED.entries()) {
      const podName = `forged-${index}`;
      const issuedAtSeconds = nowSeconds();
      const text = stamp({ namespace: TEAM, podName, user: 'alice', requester: 'alice', issuedAtSeconds });
      const annotations = { [STAMP]: text, [ANNOTATION]: 'alice' };
      forged.push(await post(podName, { annotations }, BOB));
    }
    await restore();
    pods = forged;
  });

  it.each(FORGED.map(({ title, reason }, index) => ({ title, reason, index })))(
    '$title: $reason',
    async ({ reason, index }) => {
      const pod = pods[index] ?? {};
      expect(await verdictOf(world, pod)).toMatchObject({ outcome: 'refused', reason });
    },
  );

  it('and of alice’s own: it is believed', async () => {
    expect(await verdictOf(world, hers)).toEqual({ outcome: 'believed', requester: 'alice' });
  });
});

describe('keys of decorate', () => {
  it('that are rotated: old stamps are still good, and new ones have the new key', async () => {
    const made = await world.api.must(SETS, { method: 'POST', body: set('before-rotation') }, ALICE);
    expect(made.metadata?.name).toBe('before-rotation');
    const key = newSigningKey();
    await restartWith(rotateKeys(first, key, 1));
    expect(await verdictOf(world, hers)).toMatchObject({ outcome: 'believed' });
    await scale('before-rotation');
    await until('its pod', async () => (await world.podsOf('before-rotation')).length === 1);
    const [pod = {}] = await world.podsOf('before-rotation');
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
    const [header = ''] = stampTextOf(pod).split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ kid: key.kid });
  });

  it('that are swapped for others: old stamps are worth nothing, and say what to do', async () => {
    await world.api.must(SETS, { method: 'POST', body: set('before-swap') }, ALICE);
    await restartWith({ keys: [newSigningKey()] });
    expect(await verdictOf(world, hers)).toMatchObject({ outcome: 'refused', reason: 'stamp-key-unknown' });
    await scale('before-swap');
    const text = await failure(world, 'before-swap');
    expect(text).toMatch(
      /the template stamp of "ReplicaSet" "before-swap" is not a good one: change its template anew/,
    );
    expect(await world.podsOf('before-swap')).toEqual([]);
    const pod = await post('after-swap', {}, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
  });
});
