import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyPodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
import type { StampPublicKeys } from '../../../src/identity/stamps/stamp-keys.ts';
import type { ApiObject } from '../api-caller.ts';
import {
  ALICE,
  ANNOTATION,
  BOB,
  DecorateWorld,
  podBody,
  podsPath,
  TEAM,
} from '../decorate/decorate-world.ts';
import { definition, OPEN } from './job-definitions.ts';
import { asAdmin, refusalOf } from './webhook-trials.ts';

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
  const { kubectl } = world;
  await kubectl.must(['create', '--filename=-'], { input: JSON.stringify(TFJOB_DEFINITION) });
  await kubectl.must(['wait', '--for=condition=Established', '--timeout=30s', 'crd/tfjobs.kubeflow.org']);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const TFJOB_DEFINITION = definition('kubeflow.org', 'TFJob', OPEN);
const TFJOBS = `/apis/kubeflow.org/v1/namespaces/${TEAM}/tfjobs`;
const tfJob = (name: string, template: object, count = 1): object => ({
  apiVersion: 'kubeflow.org/v1',
  kind: 'TFJob',
  metadata: { name },
  spec: {
    tfReplicaSpecs: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`R${index}`, { template }]),
    ),
  },
});

function nested(depth: number): object {
  let value: object = {};
  for (let level = 0; level < depth; level += 1) value = { a: value };
  return value;
}

const MIB = 1024 * 1024;

/** What the real process took at most while this ran, and before, in bytes. */
async function peakOf(run: () => Promise<void>): Promise<{ readonly before: number; readonly peak: number }> {
  const { pid } = world.decorate ?? {};
  const resident = async (name: 'VmHWM' | 'VmRSS'): Promise<number> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kilobytes = new RegExp(`^${name}:\\s+(?<count>\\d+) kB$`, 'm').exec(status)?.groups?.['count'];
    if (kilobytes === undefined) throw new Error(`no ${name} of process ${pid}`);
    return Number(kilobytes) * 1024;
  };
  // Sets the peak back to what it has now (proc(5)).
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const before = await resident('VmRSS');
  await run();
  return { before, peak: await resident('VmHWM') };
}

const stillAnswers = async (name: string): Promise<void> => {
  const pod = await world.api.must(podsPath(), { method: 'POST', body: podBody(name) }, ALICE);
  expect(await world.stampOf(pod)).toMatchObject({ podName: name, user: 'alice' });
};

describe('what a tenant makes as large or as deep as the API server takes it', () => {
  it.each([
    ['a pod with 200 KB of annotations', podsPath(), { annotations: { a: 'x'.repeat(200_000) } }],
    [
      'a pod with 20,000 labels',
      podsPath(),
      { labels: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`l${i}`, ''])) },
    ],
  ])('%s is stamped as any other', async (title, path, metadata) => {
    const name = `large-${title.length}`;
    const pod = await world.api.must(path, { method: 'POST', body: podBody(name, metadata) }, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
  });

  it('200 templates are stamped each; decorate goes on', async () => {
    const template = { spec: { containers: [{ name: 'main', image: 'trainer:1' }] } };
    const write = { method: 'POST', body: tfJob('many', template, 200) } as const;
    const made = await world.api.must(TFJOBS, write, asAdmin('bob'));
    const { tfReplicaSpecs } = made['spec'] as {
      tfReplicaSpecs: Record<string, { template: { metadata: { annotations: Record<string, string> } } }>;
    };
    const users = Object.values(tfReplicaSpecs).map((each) => each.template.metadata.annotations[ANNOTATION]);
    expect(users).toEqual(Array.from({ length: 200 }, () => 'bob'));
    await stillAnswers('after-many');
  });

  it('a template 80 deep is stamped', async () => {
    const body = tfJob('deep', { spec: { containers: [], ...nested(80) } });
    const made = await world.api.must(TFJOBS, { method: 'POST', body }, asAdmin('bob'));
    expect(JSON.stringify(made)).toContain(`"${ANNOTATION}":"bob"`);
  });

  it.each([
    [
      'of 201 templates',
      tfJob('more', { spec: { containers: [] } }, 201),
      /more than 200 templates: split it/,
    ],
    ['150 deep', tfJob('deeper', { spec: { containers: [], ...nested(150) } }), /nested more than 100 deep/],
  ])('an object %s is refused; decorate goes on', async (title, body, text) => {
    const trial = { path: TFJOBS, write: { method: 'POST', body } as const, as: asAdmin('bob') };
    expect(await refusalOf(world, trial)).toEqual({
      status: 403,
      reason: 'object-malformed',
      message: expect.stringMatching(text),
    });
    await stillAnswers(`after-${title.replaceAll(/\W/g, '')}`);
  });

  it.each([
    ['1,000 deep', 'depth', { spec: { containers: [], ...nested(1_000) } }],
    ['3,000 deep', 'depth', { spec: { containers: [], ...nested(3_000) } }],
    [
      'of 600,000 values',
      'values',
      { spec: { containers: [], list: Array.from({ length: 600_000 }, () => 0) } },
    ],
  ])('an object %s is refused, with what to do; decorate goes on', async (title, limit, template) => {
    const write = { method: 'POST', body: tfJob('huge', template) } as const;
    const text =
      limit === 'depth'
        ? /too deep to be checked: .*make it flatter/
        : /too many values to be checked: .*make it smaller/;
    const { before, peak } = await peakOf(async () => {
      const { status, body } = await world.api.call(TFJOBS, write, asAdmin('bob'));
      expect({ status, message: body.message }).toEqual({
        status: 413,
        message: expect.stringMatching(text),
      });
    });
    await stillAnswers(`after-${title.replaceAll(/\W/g, '')}`);
    expect(peak - before).toBeLessThan(64 * MIB);
  });

  it('an object of 2.5 MB in one text goes through us, and not into the store; decorate goes on', async () => {
    const body = tfJob('long', { spec: { containers: [], text: 'x'.repeat(2_500_000) } });
    const { before, peak } = await peakOf(async () => {
      const reply = await world.api.call(TFJOBS, { method: 'POST', body }, asAdmin('bob'));
      expect(reply.body.message).toMatch(/request is too large|larger than max|limit is/);
    });
    await stillAnswers('after-long');
    expect(peak - before).toBeLessThan(64 * MIB);
  });
});

describe('many at once', () => {
  it('16 objects that are too much, 8 at a time: no more memory than for a few', async () => {
    const values = { spec: { containers: [], list: Array.from({ length: 600_000 }, () => 0) } };
    const bodies = [values, { spec: { containers: [], ...nested(3_000) } }].map((each) =>
      tfJob('huge', each),
    );
    const left = Array.from({ length: 16 }, (_, index) => bodies[index % bodies.length] ?? {});
    const worker = async (): Promise<void> => {
      for (let body = left.pop(); body !== undefined; body = left.pop()) {
        const { status } = await world.api.call(TFJOBS, { method: 'POST', body }, asAdmin('bob'));
        expect(status).toBe(413);
      }
    };
    const { before, peak } = await peakOf(async () => {
      await Promise.all(Array.from({ length: 8 }, worker));
    });
    await stillAnswers('after-huge-ones');
    expect(peak - before).toBeLessThan(128 * MIB);
  });

  it('1,000 pods of 50 users, interleaved: each speaks for who made it', async () => {
    const users = Array.from({ length: 50 }, (_, index) => `user${index}`);
    const next = Array.from({ length: 1_000 }, (_, index) => ({
      user: users[(index * 7) % users.length] ?? '',
      // Two requests in three name somebody else.
      named: users[(index * 11 + (index % 3)) % users.length] ?? '',
    }));
    const pods: { readonly user: string; readonly pod: ApiObject }[] = [];
    const worker = async (): Promise<void> => {
      for (let one = next.pop(); one !== undefined; one = next.pop()) {
        const { user, named } = one;
        const body = {
          ...podBody(''),
          metadata: { generateName: 'many-', annotations: { [ANNOTATION]: named } },
        };
        const pod = await world.api.must(`${podsPath()}?dryRun=All`, { method: 'POST', body }, asAdmin(user));
        pods.push({ user, pod });
      }
    };
    await Promise.all(Array.from({ length: 24 }, worker));
    expect(pods).toHaveLength(1_000);
    expect(new Set(pods.map(({ pod }) => pod.metadata?.name)).size).toBe(1_000);
    for (const { user, pod } of pods) {
      expect(pod.metadata?.annotations?.[ANNOTATION]).toBe(user);
      expect(await stampUser(pod)).toEqual({ podName: pod.metadata?.name, user, requester: user });
    }
  });

  async function stampUser(pod: ApiObject): Promise<object> {
    keys ??= await world.publishedKeys();
    const opened = verifyPodStamp(pod.metadata?.annotations?.['kerbridge.dev/stamp'] ?? '', keys);
    if (opened.outcome !== 'valid') return opened;
    const { podName, user, requester } = opened.stamp;
    return { podName, user, requester };
  }
  let keys: StampPublicKeys | undefined;
});
