import { randomUUID, X509Certificate } from 'node:crypto';
import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  KubeConfig,
  type V1ObjectMeta,
  type V1RuleWithOperations,
} from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { AdmissionDecision, Decide } from '../../../src/admission/review/admission-decision.ts';
import type { AdmissionRequest } from '../../../src/admission/review/admission-request.ts';
import { createWebhook } from '../../../src/commands/decorate/create-webhook.ts';
import { issuer } from '../../../src/commands/decorate/issue-certificate.ts';
import { OwnCa, type OwnCaEvent } from '../../../src/commands/decorate/own-ca.ts';
import { WEBHOOK_SERVER_LIMITS } from '../../../src/commands/decorate/webhook-limits.ts';
import { HttpServer } from '../../../src/commands/serve/http-server.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { observedRefusals } from '../../fakes/observed-refusals.ts';
import { readStack } from '../../stack/stack.ts';
import { TestNamespace } from '../kubernetes-objects.ts';

/** The real API server, and a webhook of this process with certificates of its own authority. */
const LABEL = `kerbridge-test-${randomUUID().slice(0, 8)}`;
const CONFIGURATION = LABEL;
const SECRET = { type: 'kerbridge.dev/webhook-ca', key: 'certificates', labels: {} };

let admin: string;
let api: KubernetesApi;
let core: CoreV1Api;
let registration: AdmissionregistrationV1Api;
let namespace: TestNamespace;
let server: HttpServer;
let url: string;
let decide: Record<'mutate' | 'validate', Decide>;
const seen = observedRefusals();

const allow: Decide = () => Promise.resolve({ outcome: 'allowed' });
const annotate: Decide = (review) =>
  Promise.resolve({
    outcome: 'allowed',
    patch: [{ op: 'add', path: '/metadata/annotations', value: { seen: review.userInfo.username } }],
    warnings: ['this is a test'],
    auditAnnotations: { seen: 'yes' },
  });

function ownCa(
  life: { readonly authorityMs: number; readonly servingMs: number; readonly settleMs: number },
  events: string[] = [],
) {
  return OwnCa.open({
    secrets: api.createSecretRecords({ ...SECRET, namespace: namespace.name }),
    secretName: 'webhook-ca',
    putBundle: async (caBundle, options) => {
      const kinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const;
      const outcomes = await Promise.all(
        kinds.map((kind) => api.putCaBundle({ kind, name: CONFIGURATION }, caBundle, options)),
      );
      return outcomes.includes('written') ? 'written' : 'unchanged';
    },
    policy: {
      names: ['127.0.0.1', 'kerbridge-webhook.kerbridge.svc'],
      authorityLifeMs: life.authorityMs,
      servingLifeMs: life.servingMs,
      settleMs: life.settleMs,
      backdateMs: 60_000,
    },
    issuer,
    // Looks each second instead of every 30 s.
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1_000), signal) },
    onEvent: (event: OwnCaEvent) =>
      events.push(event.event === 'changed' ? event.actions.join(' ') : event.event),
  });
}

async function configure(): Promise<void> {
  const rules: V1RuleWithOperations[] = [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
  ];
  const common = {
    name: 'webhook.kerbridge.dev',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    timeoutSeconds: 3,
    namespaceSelector: { matchLabels: { [LABEL]: 'on' } },
    rules,
  };
  const metadata: V1ObjectMeta = { name: CONFIGURATION };
  await registration.createMutatingWebhookConfiguration({
    body: { metadata, webhooks: [{ ...common, clientConfig: { url: `${url}/mutate` } }] },
  });
  await registration.createValidatingWebhookConfiguration({
    body: { metadata, webhooks: [{ ...common, clientConfig: { url: `${url}/validate` } }] },
  });
}

const create = (
  data: Readonly<Record<string, string>> = {},
  metadata: V1ObjectMeta = { generateName: 'c-' },
) => core.createNamespacedConfigMap({ namespace: namespace.name, body: { metadata, data } });

/** The Status that the API server answers, as kubectl shows it. */
async function refusal(work: Promise<unknown>): Promise<{ code: number; reason: string; message: string }> {
  const error: unknown = await work.then(
    () => new Error('it was let through'),
    (thrown: unknown) => thrown,
  );
  const body: unknown = (error as { readonly body?: unknown }).body;
  if (typeof body !== 'string') throw error;
  return JSON.parse(body) as { code: number; reason: string; message: string };
}

beforeAll(async () => {
  admin = (await readStack()).kubernetes.kubeconfig.admin;
  api = loadKubernetesApi({ kubeconfig: admin });
  const config = new KubeConfig();
  config.loadFromFile(admin);
  core = config.makeApiClient(CoreV1Api);
  registration = config.makeApiClient(AdmissionregistrationV1Api);
  namespace = await TestNamespace.create(admin, 'webhook');
  // Not before the server is there: no other test may notice.
  decide = { mutate: allow, validate: allow };
}, 60_000);

afterEach(() => {
  decide = { mutate: allow, validate: allow };
});

afterAll(async () => {
  await registration.deleteMutatingWebhookConfiguration({ name: CONFIGURATION }).catch(() => undefined);
  await registration.deleteValidatingWebhookConfiguration({ name: CONFIGURATION }).catch(() => undefined);
  await server?.stop(0, systemClock);
  await namespace.dispose();
  api.close();
}, 60_000);

describe('the webhook at the real API server', () => {
  let certificates: OwnCa;

  beforeAll(async () => {
    const events: string[] = [];
    // Nothing to write the bundle into yet: it starts all the same.
    certificates = await ownCa({ authorityMs: 3_600_000, servingMs: 600_000, settleMs: 1_000 }, events);
    expect(events).toEqual(['add-authority issue-serving', 'bundle-failed']);
    server = new HttpServer({
      listener: createWebhook({
        decide: {
          mutate: (review, signal) => decide.mutate(review, signal),
          validate: (review, signal) => decide.validate(review, signal),
        },
        writeAudit: () => Promise.resolve(),
        ...seen,
        clock: systemClock,
      }),
      refusals: seen.refusals,
      limits: WEBHOOK_SERVER_LIMITS,
      tls: { pair: certificates.current },
    });
    certificates.follow((pair) => server.useCertificate(pair));
    const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
    url = `https://127.0.0.1:${port}`;
    await configure();
    await core.patchNamespace({
      name: namespace.name,
      body: [{ op: 'add', path: '/metadata/labels', value: { [LABEL]: 'on' } }],
    });
    // The bundle comes with a later look, and the API server hears of it.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (
        await create().then(
          () => true,
          () => false,
        )
      )
        return;
      await systemClock.sleep(200);
    }
    throw new Error('the API server never trusted the webhook');
  }, 120_000);

  afterAll(async () => {
    await certificates.stop();
  });

  it('changes what is made, as the API server asks it', async () => {
    const reviews: AdmissionRequest[] = [];
    decide.mutate = (review, signal) => {
      reviews.push(review);
      return annotate(review, signal);
    };
    const made = await create({ a: 'b' });
    expect(made.metadata?.annotations).toEqual({ seen: reviews[0]?.userInfo.username });
    expect(reviews).toMatchObject([
      {
        operation: 'CREATE',
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        requestKind: { kind: 'ConfigMap' },
        namespace: namespace.name,
        name: undefined,
        subResource: undefined,
        dryRun: false,
        object: { data: { a: 'b' } },
        oldObject: undefined,
        options: { kind: 'CreateOptions' },
      },
    ]);
  });

  it.each<[string, AdmissionDecision, number, string, string]>([
    [
      'refused',
      { outcome: 'refused', reason: 'r', text: 'This pod is alice’s: ask her.\nOr so' },
      403,
      'Forbidden',
      'admission webhook "webhook.kerbridge.dev" denied the request: This pod is alice’s: ask her.\\u{a}Or so',
    ],
    [
      'could not be checked',
      { outcome: 'could-not-check', dependency: 'kubernetes', text: 'Kerbridge could not check: try again' },
      503,
      'ServiceUnavailable',
      'admission webhook "webhook.kerbridge.dev" denied the request: Kerbridge could not check: try again',
    ],
  ])('tells the person what is %s, from both paths', async (_name, decision, code, reason, message) => {
    for (const path of ['mutate', 'validate'] as const) {
      decide = { mutate: allow, validate: allow, [path]: () => Promise.resolve(decision) };
      expect(await refusal(create())).toMatchObject({ code, reason, message });
    }
  });

  it('lets nothing through that fails, takes too long, or is answered by nobody', async () => {
    decide.mutate = () => Promise.reject(new Error('a fault'));
    expect(await refusal(create())).toMatchObject({
      code: 500,
      message: expect.stringContaining('fault of its own'),
    });
    decide.mutate = () => new Promise(() => undefined);
    expect(await refusal(create())).toMatchObject({ code: 503, message: expect.stringContaining('in time') });
  }, 30_000);

  it('takes the largest ConfigMap that the API server takes', async () => {
    let length = 0;
    decide.mutate = ({ object }) => {
      length = JSON.stringify(object).length;
      return Promise.resolve({ outcome: 'allowed' });
    };
    await create({ a: 'x'.repeat(1024 * 1024 - 100) });
    expect(length).toBeGreaterThan(1024 * 1024);
  }, 30_000);

  it('answers while its certificates are rotated, without one failure', async () => {
    const events: string[] = [];
    await certificates.stop();
    await core.deleteNamespacedSecret({ namespace: namespace.name, name: 'webhook-ca' });
    // Lives of seconds.
    const fast = await ownCa({ authorityMs: 24_000, servingMs: 6_000, settleMs: 2_000 }, events);
    const replica = await ownCa({ authorityMs: 24_000, servingMs: 6_000, settleMs: 2_000 });
    server.useCertificate(fast.current);
    fast.follow((pair) => server.useCertificate(pair));
    // The new authority has nothing in common with the old one: until the API server has heard of it.
    for (
      let attempt = 0;
      attempt < 50 &&
      !(await create().then(
        () => true,
        () => false,
      ));
      attempt += 1
    ) {
      await systemClock.sleep(100);
    }
    const shown = new Set<string>();
    const signers = new Set<string>();
    let made = 0;
    const end = systemClock.now() + 45_000;
    while (systemClock.now() < end) {
      // Kept connections would hide what a new one meets.
      server.startDraining();
      await Promise.all([create(), create()]);
      made += 2;
      shown.add(fast.current.certificates);
      signers.add(new X509Certificate(fast.current.certificates).issuer);
      expect(replica.current.notAfter).toBeGreaterThan(systemClock.now());
      await systemClock.sleep(50);
    }
    expect(made).toBeGreaterThan(100);
    expect(shown.size).toBeGreaterThan(6);
    expect(signers.size).toBeGreaterThan(2);
    expect(events).not.toContain('failed');
    await Promise.all([fast.stop(), replica.stop()]);
  }, 120_000);
});
