import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PodStamp, signPodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
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
import { type Late, LateWebhook, type PatchStep } from './late-webhook.ts';
import { refusalOf, signingKeys } from './webhook-trials.ts';

const STAMP = 'kerbridge.dev/stamp';
const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';
const DEPLOYMENTS = `/apis/apps/v1/namespaces/${TEAM}/deployments`;
const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

let world: DecorateWorld;
/** Run again when others have changed something after it, and not. */
let again: LateWebhook;
let once: LateWebhook;
/** Of a pod of alice's that is there. */
let alices: string;
let sign: (change: Partial<PodStamp>) => string;

beforeAll(async () => {
  world = await DecorateWorld.open();
  again = await LateWebhook.open(world.api, 'IfNeeded', 'again');
  once = await LateWebhook.open(world.api, 'Never', 'once');
  const pod = await world.api.must(podsPath(), { method: 'POST', body: podBody('of-alice') }, ALICE);
  alices = pod.metadata?.annotations?.[STAMP] ?? '';
  const { keys } = await signingKeys(world);
  sign = (change) =>
    signPodStamp(
      {
        namespace: TEAM,
        podName: 'tried',
        user: 'bob',
        requester: 'bob',
        issuedAtSeconds: Math.floor(systemClock.now() / 1000),
        ...change,
      },
      keys[0],
    );
  const seen = { op: 'add', path: '/metadata/annotations/seen', value: 'yes' } as const;
  for (const [late, webhook] of [
    ['again', again],
    ['once', once],
  ] as const) {
    webhook.late = () => [seen];
    const body = podBody('probe', { labels: { late } });
    const path = `${podsPath()}?dryRun=All`;
    const isAsked = async (): Promise<boolean> =>
      (await world.api.must(path, { method: 'POST', body }, BOB)).metadata?.annotations?.['seen'] === 'yes';
    await until(`the webhook ${late} is asked`, isAsked);
  }
});
afterAll(async () => {
  await once?.[Symbol.asyncDispose]();
  await again?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const set = (key: string, value: string): PatchStep => ({
  op: 'add',
  path: `/metadata/annotations/${pointer(key)}`,
  value,
});

interface Overwriting {
  readonly title: string;
  readonly reason: string;
  readonly text: string;
  readonly late: Late;
}

const OF_PODS: readonly Overwriting[] = [
  {
    title: 'the user',
    reason: 'user-overwritten',
    text: `${ANNOTATION} is "alice" and not "bob"`,
    late: () => [set(ANNOTATION, 'alice')],
  },
  {
    title: 'the user, removed',
    reason: 'user-overwritten',
    text: `${ANNOTATION} is "" and not "bob"`,
    late: () => [{ op: 'remove', path: `/metadata/annotations/${ANNOTATION}` }],
  },
  {
    title: 'the stamp, by that of a pod of alice’s',
    reason: 'stamp-of-other-pod',
    text: 'the stamp of the pod is that of another one',
    late: () => [set(STAMP, alices)],
  },
  {
    title: 'user and stamp, by those of alice’s',
    reason: 'user-overwritten',
    text: 'is "alice" and not "bob"',
    late: () => [set(STAMP, alices), set(ANNOTATION, 'alice')],
  },
  {
    title: 'the stamp, removed',
    reason: 'stamp-overwritten',
    text: 'the stamp of the pod is not a good one (malformed)',
    late: () => [{ op: 'remove', path: `/metadata/annotations/${pointer(STAMP)}` }],
  },
  {
    title: 'the stamp, by one of another requester',
    reason: 'stamp-of-other-pod',
    text: 'that of another one',
    late: () => [set(STAMP, sign({ requester: 'alice' }))],
  },
  {
    title: 'the stamp, by one of alice for that very pod',
    reason: 'stamp-of-other-pod',
    text: 'that of another one',
    late: () => [set(STAMP, sign({ user: 'alice' }))],
  },
  {
    title: 'the stamp, by one of another namespace',
    reason: 'stamp-of-other-pod',
    text: 'that of another one',
    late: () => [set(STAMP, sign({ namespace: 'team-2' }))],
  },
  {
    title: 'the stamp, by the same of a minute ago',
    reason: 'stamp-old',
    text: 's old',
    late: () => [set(STAMP, sign({ issuedAtSeconds: Math.floor(systemClock.now() / 1000) - 61 }))],
  },
  {
    title: 'the stamp, with another algorithm',
    reason: 'stamp-overwritten',
    text: '(malformed)',
    late: () => {
      const [, payload] = alices.split('.');
      const header = Buffer.from('{"alg":"none","typ":"kerbridge-pod-stamp"}').toString('base64url');
      return [set(STAMP, `${header}.${payload}.`)];
    },
  },
  {
    title: 'the label, removed',
    reason: 'label-overwritten',
    text: 'the label kerbridge.dev/stamped is missing',
    late: () => [{ op: 'remove', path: '/metadata/labels/kerbridge.dev~1stamped' }],
  },
  {
    title: 'the label, by another value',
    reason: 'label-overwritten',
    text: 'the label kerbridge.dev/stamped is missing',
    late: () => [{ op: 'replace', path: '/metadata/labels/kerbridge.dev~1stamped', value: 'false' }],
  },
];

describe('another webhook changes a pod of bob’s after ours', () => {
  it.each(OF_PODS)('again and again, $title: refused', async ({ reason, text, late }) => {
    again.late = late;
    const body = podBody('tried', { labels: { late: 'again' } });
    const refusal = await refusalOf(world, { path: podsPath(), write: { method: 'POST', body }, as: BOB });
    expect(refusal).toEqual({ status: 403, reason, message: expect.stringContaining(text) });
    expect(refusal.message).toContain('another admission webhook changed it after Kerbridge’s');
    expect((await world.api.call(`${podsPath()}/tried`, { method: 'GET' })).status).toBe(404);
  });

  it.each(OF_PODS)('once, $title: ours has the last word', async ({ late }) => {
    once.late = late;
    const body = podBody('tried', { labels: { late: 'once' } });
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    await world.api.must(`${podsPath()}/tried`, { method: 'DELETE' });
    expect(pod.metadata?.annotations?.[ANNOTATION]).toBe('bob');
    expect(pod.metadata?.labels?.['kerbridge.dev/stamped']).toBe('true');
    expect(await world.stampOf(pod)).toMatchObject({ podName: 'tried', user: 'bob', requester: 'bob' });
  });
});

const TEMPLATE = '/spec/template';
const inTemplate = (key: string): string => `${TEMPLATE}/metadata/annotations/${pointer(key)}`;
const OF_TEMPLATES: readonly Overwriting[] = [
  {
    title: 'the user',
    reason: 'template-user-overwritten',
    text: `${ANNOTATION} of ${TEMPLATE} is not "bob"`,
    late: () => [{ op: 'add', path: inTemplate(ANNOTATION), value: 'alice' }],
  },
  {
    title: 'the stamp, removed',
    reason: 'template-stamp-missing',
    text: `${TEMPLATE} has lost its stamp`,
    late: () => [{ op: 'remove', path: inTemplate(TEMPLATE_STAMP) }],
  },
  {
    title: 'the stamp, by that of a pod',
    reason: 'template-stamp-overwritten',
    text: `the stamp of ${TEMPLATE} is not a good one (other-type)`,
    late: () => [{ op: 'add', path: inTemplate(TEMPLATE_STAMP), value: alices }],
  },
];

const deployment = (name: string, late: string): object => ({
  metadata: { name, labels: { late } },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'train' } },
    template: {
      metadata: { labels: { app: 'train' } },
      spec: { containers: [{ name: 'main', image: 'trainer:1' }] },
    },
  },
});
const make = (body: object, as: Requester): Promise<ApiObject> =>
  world.api.must(DEPLOYMENTS, { method: 'POST', body }, as);
const templateOf = ({
  spec,
}: ApiObject): { metadata: { annotations: Record<string, string> }; spec: object } =>
  (spec as { template: { metadata: { annotations: Record<string, string> }; spec: object } }).template;

describe('another webhook changes a template of bob’s after ours', () => {
  it.each(OF_TEMPLATES)('again and again, $title: refused', async ({ reason, text, late }) => {
    again.late = late;
    const write = { method: 'POST', body: deployment('tried', 'again') } as const;
    const refusal = await refusalOf(world, { path: DEPLOYMENTS, write, as: BOB });
    expect(refusal).toEqual({ status: 403, reason, message: expect.stringContaining(text) });
  });

  it('again and again, the stamp, by that of a Deployment of alice’s with the same template: refused', async () => {
    again.late = () => [];
    const stamp = templateOf(await make(deployment('hers', 'again'), ALICE)).metadata.annotations[
      TEMPLATE_STAMP
    ];
    again.late = () => [
      { op: 'add', path: inTemplate(TEMPLATE_STAMP), value: stamp },
      { op: 'add', path: inTemplate(ANNOTATION), value: 'alice' },
    ];
    const write = { method: 'POST', body: deployment('tried', 'again') } as const;
    expect(await refusalOf(world, { path: DEPLOYMENTS, write, as: BOB })).toEqual({
      status: 403,
      reason: 'template-stamp-of-other-object',
      message: expect.stringContaining('is that of another object'),
    });
  });

  it.each(OF_TEMPLATES)('once, $title: ours has the last word', async ({ late }) => {
    once.late = late;
    const made = await make(deployment('tried', 'once'), BOB);
    await world.api.must(`${DEPLOYMENTS}/tried`, { method: 'DELETE' });
    expect(templateOf(made).metadata.annotations[ANNOTATION]).toBe('bob');
  });

  it.each(['again', 'once'])('%s, the image: what is stored is what bob’s stamp is for', async (label) => {
    const webhook = label === 'again' ? again : once;
    webhook.late = () => [
      { op: 'replace', path: `${TEMPLATE}/spec/containers/0/image`, value: 'mirror.example.com/trainer:1' },
    ];
    const name = `mirrored-${label}`;
    const made = await make(deployment(name, label), BOB);
    expect(JSON.stringify(templateOf(made).spec)).toContain('mirror.example.com');
    await world.api.must(
      `${DEPLOYMENTS}/${name}/scale`,
      { method: 'PATCH', kind: 'merge', body: { spec: { replicas: 1 } } },
      ALICE,
    );
    await until('its pod', async () => (await world.podsOf(name)).length === 1);
    const [pod = {}] = await world.podsOf(name);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
  });
});
