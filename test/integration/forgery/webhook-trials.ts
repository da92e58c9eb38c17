import { createStampJudge, type StampVerdict } from '../../../src/identity/judge-pod-stamp.ts';
import { parsePrivateKeys } from '../../../src/identity/stamps/read-stamp-keys.ts';
import type { StampPrivateKeys } from '../../../src/identity/stamps/stamp-keys.ts';
import { Secret } from '../../../src/observability/secret.ts';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import { ANNOTATION, type DecorateWorld, OWN, TEAM } from '../decorate/decorate-world.ts';
import { until } from '../until.ts';

/*
 * What the tests of this folder do with a real `kerbridge decorate` at a real API server.
 */

/** May do all that RBAC can allow: what stops them is something else. */
export const asAdmin = (user: string): Requester => ({ user, groups: ['system:masters'] });

export interface Trial {
  readonly path: string;
  readonly write: Write;
  readonly as: Requester;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** That of the audit. */
  readonly reason: string;
}

/** What becomes of it: `undefined` in place of a refusal by decorate is one by somebody else, or none at all. */
export async function refusalOf(
  { api, decorate }: DecorateWorld,
  { path, write, as }: Trial,
): Promise<Refusal | { readonly status: number; readonly message: string | undefined }> {
  const before = decorate?.auditLines().length ?? 0;
  const { status, body } = await api.call(path, write, as);
  const { message = '' } = body;
  if (status < 300 || !message.includes('.kerbridge.dev" denied the request')) return { status, message };
  // The audit cuts off long names, and has its own way to write letters beyond ASCII.
  const known = as.user.slice(0, 253).replace(/[^ -~].*$/su, '');
  const isOwn = (review: unknown): boolean =>
    String((review as { requester?: unknown } | undefined)?.requester).startsWith(known);
  const refused = (): Record<string, unknown> | undefined =>
    decorate
      ?.auditLines()
      .slice(before)
      .find(({ decision, review }) => decision === 'refused' && isOwn(review));
  await until(`the audit of a refusal: ${message}`, () => Promise.resolve(refused() !== undefined));
  return { status, message, reason: String(refused()?.['reason']) };
}

/** Takes decorate's webhooks away, as only an administrator can; the result brings them back, and waits for it. */
export async function withoutWebhooks(world: DecorateWorld): Promise<() => Promise<void>> {
  const { api } = world;
  const paths = ['mutating', 'validating'].map(
    (kind) => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`,
  );
  const removed: { readonly path: string; readonly body: ApiObject }[] = [];
  for (const path of paths) {
    const { metadata, ...rest } = await api.must(`${path}/kerbridge-decorate`, { method: 'GET' });
    removed.push({ path, body: { metadata: { name: metadata?.name }, webhooks: rest['webhooks'] } });
    await api.must(`${path}/kerbridge-decorate`, { method: 'DELETE' });
  }
  await until('no webhook in force', async () => (await probe(world)) === undefined);
  return async () => {
    for (const { path, body } of removed) await api.must(path, { method: 'POST', body });
    await until('the webhooks in force', async () => (await probe(world)) !== undefined);
  };
}

/** Whether a pod would be stamped; nothing is made. */
async function probe({ api }: DecorateWorld): Promise<string | undefined> {
  const body = {
    metadata: { generateName: 'probe-' },
    spec: { containers: [{ name: 'main', image: 'none' }] },
  };
  const path = `/api/v1/namespaces/${TEAM}/pods?dryRun=All`;
  const { metadata } = await api.must(path, { method: 'POST', body }, asAdmin('probe'));
  return metadata?.annotations?.[ANNOTATION];
}

/** What `serve` says of the pod as the API server has it. */
export async function verdictOf(world: DecorateWorld, pod: ApiObject): Promise<StampVerdict> {
  const { namespace, creationTimestamp } = pod.metadata as { namespace?: string; creationTimestamp?: string };
  const annotations = pod.metadata?.annotations ?? {};
  const keys = await world.publishedKeys();
  const judge = createStampJudge({ requireSignature: true, stampKeys: () => keys });
  const seen = {
    namespace: namespace ?? '',
    name: pod.metadata?.name ?? '',
    uid: pod.metadata?.uid ?? '',
    createdAt: Date.parse(creationTimestamp ?? ''),
    annotations,
  };
  return judge(seen, annotations[ANNOTATION] ?? '');
}

const KEYS_PATH = `/api/v1/namespaces/${OWN}/secrets/kerbridge-stamp-keys`;

/** As an administrator who may read Secrets of decorate's namespace could. */
export async function signingKeys({ api }: DecorateWorld): Promise<StampPrivateKeys> {
  const { data } = (await api.must(KEYS_PATH, { method: 'GET' })) as { data?: Record<string, string> };
  const read = parsePrivateKeys(Buffer.from(data?.['stamp-keys.json'] ?? '', 'base64').toString());
  if (!read.ok) throw new Error('the signing keys are none');
  return read.keys;
}

/** Puts others in their place, while decorate is away: it would take half a minute to see it. */
export async function replaceSigningKeys({ api }: DecorateWorld, keys: Secret<string>): Promise<void> {
  const data = { 'stamp-keys.json': Buffer.from(keys.reveal()).toString('base64') };
  await api.must(KEYS_PATH, { method: 'PATCH', kind: 'merge', body: { data } });
}

/** A token of the account by the TokenRequest API; bound to the pod on {@link NODE}, as its kubelet asks for it, if one is given. */
export async function tokenOf(
  { api }: DecorateWorld,
  account: { readonly namespace: string; readonly name: string },
  pod?: ApiObject,
): Promise<Requester> {
  const { namespace, name } = account;
  const { name: podName, uid } = pod?.metadata ?? {};
  const boundObjectRef =
    pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName, uid } };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const write = { method: 'POST', body: { spec: { expirationSeconds: 3600, ...boundObjectRef } } } as const;
  const as = pod === undefined ? undefined : KUBELET;
  // NodeRestriction knows pods by watching them.
  await until(
    'the pod is known',
    async () => (await api.call(`${path}?dryRun=All`, write, as)).status !== 404,
  );
  const made = await api.must(path, write, as);
  const { token = '' } = made['status'] as { token?: string };
  return { user: `system:serviceaccount:${namespace}:${name}`, bearer: new Secret(token) };
}

export const NODE = 'worker-1';
export const KUBELET: Requester = { user: `system:node:${NODE}`, groups: ['system:nodes'] };

/** The messages of the events that say a controller could not make a pod. */
export async function failures({ api }: DecorateWorld, owner: string, namespace = TEAM): Promise<string[]> {
  const { items } = (await api.must(`/api/v1/namespaces/${namespace}/events`, { method: 'GET' })) as {
    items?: readonly { reason?: string; message?: string; involvedObject?: { name?: string } }[];
  };
  return (items ?? [])
    .filter(
      ({ reason, involvedObject }) => reason === 'FailedCreate' && involvedObject?.name?.startsWith(owner),
    )
    .map(({ message = '' }) => message);
}

export async function failure(world: DecorateWorld, owner: string): Promise<string> {
  await until(`an event: no pod for ${owner}`, async () => (await failures(world, owner)).length > 0);
  return (await failures(world, owner))[0] ?? '';
}
