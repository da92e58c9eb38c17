import { createHash } from 'node:crypto';
import type { DecoratorParts, FindTemplates } from '../../src/admission/decorator-parts.ts';
import { createMutation, createValidation } from '../../src/admission/decide.ts';
import type { FoundObject, JsonObject, ResourceName } from '../../src/admission/look-ups.ts';
import { annotationsOf, metadataText, textsOf } from '../../src/admission/object-metadata.ts';
import { childOf } from '../../src/admission/patch/json-value.ts';
import type { MapRequester } from '../../src/admission/requester/requester.ts';
import type { AdmissionDecision } from '../../src/admission/review/admission-decision.ts';
import type { AdmissionRequest } from '../../src/admission/review/admission-request.ts';
import { newSigningKey, publicKeysOf } from '../../src/identity/stamps/stamp-keys.ts';
import { applyJsonPatch } from './apply-json-patch.ts';
import { FakeClock } from './fake-clock.ts';

export const ANNOTATION = 'iddecorator.username';
/** The only account that the world's rules trust as a controller. */
export const CONTROLLER = 'system:serviceaccount:kube-system:controller';
export const NAMESPACE = 'team-a';

/** What was stored, or why not. */
export type Outcome =
  | { readonly stored: JsonObject; readonly decision: AdmissionDecision }
  | { readonly stored: undefined; readonly decision: AdmissionDecision };

export interface Change {
  readonly by: string;
  /** Another webhook, after which ours runs again. */
  readonly mutator?: (object: JsonObject) => JsonObject;
  /** Another webhook, after the last run of ours. */
  readonly lateMutator?: (object: JsonObject) => JsonObject;
  /** As if the webhooks were not called at all. */
  readonly bypass?: boolean;
}

/**
 * The decisions behind a small API server: mutate, another mutator perhaps, ours again, validate, store. Who is who by
 * name: people are themselves, {@link CONTROLLER} is trusted, `system:` is nobody.
 */
export class DecoratorWorld {
  readonly clock = new FakeClock();
  readonly objects = new Map<string, JsonObject>();
  readonly keys = { signing: newSigningKey() };
  readonly keepers = new Set<string>();
  /** `<user> <from what>`. */
  readonly exempt = new Set<string>();
  isApiServerDown = false;
  namespaceUid = 'uid-of-team-a';
  hasKeys = true;
  #made = 0;
  readonly #parts: DecoratorParts;

  constructor(overrides: Partial<DecoratorParts> = {}) {
    const all = publicKeysOf({ keys: [this.keys.signing] });
    this.#parts = {
      annotation: ANNOTATION,
      keys: () => (this.hasKeys ? { signing: this.keys.signing, all } : undefined),
      optedInNamespace: () => Promise.resolve(this.namespaceUid),
      mapRequester: byName,
      verifyPodStamp: () => ({ outcome: 'refused', reason: 'not-asked-here' }),
      readObject: ({ kind, namespace, name }) =>
        this.isApiServerDown
          ? Promise.reject(new Error('the API server is away'))
          : Promise.resolve(this.#find(kind, `${kind} ${namespace}/${name}`)),
      findTemplates: templateOfSpec,
      readStoredSchemas: () => Promise.resolve([]),
      mayKeepIdentity: ({ userInfo }) => Promise.resolve(this.keepers.has(userInfo.username)),
      isExempt: ({ username }, from) => this.exempt.has(`${username} ${from}`),
      guard: { connect: true, images: true, ephemeralContainers: true },
      clock: this.clock,
      randomName: (length) => 'x'.repeat(length),
      ...overrides,
    };
  }

  get parts(): DecoratorParts {
    return this.#parts;
  }

  #find(kind: string, key: string): FoundObject | undefined {
    const object = this.objects.get(key);
    return object === undefined ? undefined : { resource: resourceOf(object, kind), object };
  }

  async create(object: JsonObject, change: Change): Promise<Outcome> {
    return await this.#write('CREATE', object, undefined, change);
  }

  /** `edit` is given the stored object. */
  async update(
    kind: string,
    name: string,
    edit: (object: JsonObject) => JsonObject,
    change: Change,
  ): Promise<Outcome> {
    const old = this.objects.get(`${kind} ${NAMESPACE}/${name}`);
    if (old === undefined) throw new Error(`there is no ${kind} ${name}`);
    return await this.#write('UPDATE', edit(structuredClone(old)), old, change);
  }

  review(overrides: Partial<AdmissionRequest>): AdmissionRequest {
    const object = overrides.object;
    const kind = kindOf(object);
    return {
      uid: 'review',
      kind,
      resource: { version: kind.version, ...resourceOf(object, kind.kind) },
      subResource: undefined,
      requestKind: kind,
      requestResource: { ...kind, resource: `${kind.kind.toLowerCase()}s` },
      requestSubResource: undefined,
      name: metadataText(object, 'name'),
      namespace: NAMESPACE,
      operation: 'CREATE',
      userInfo: { username: 'alice', uid: undefined, groups: [], extra: {} },
      object: undefined,
      oldObject: undefined,
      options: undefined,
      dryRun: false,
      ...overrides,
    };
  }

  async #write(
    operation: 'CREATE' | 'UPDATE',
    sent: JsonObject,
    oldObject: JsonObject | undefined,
    { by, mutator = asItIs, lateMutator = asItIs, bypass = false }: Change,
  ): Promise<Outcome> {
    const signal = new AbortController().signal;
    const userInfo = { username: by, uid: undefined, groups: [], extra: {} };
    const reviewOf = (object: JsonObject): AdmissionRequest =>
      this.review({ operation, object: object, oldObject: oldObject, userInfo });
    let object = sent;
    let decision: AdmissionDecision = { outcome: 'allowed' };
    if (!bypass) {
      const mutate = createMutation(this.#parts);
      decision = await mutate(reviewOf(object), signal);
      if (decision.outcome !== 'allowed') return { stored: undefined, decision };
      object = mutator(applyJsonPatch(object, decision.patch ?? []) as JsonObject);
      const again = await mutate(reviewOf(object), signal);
      if (again.outcome !== 'allowed') return { stored: undefined, decision: again };
      object = applyJsonPatch(object, again.patch ?? []) as JsonObject;
    }
    object = lateMutator(object);
    const metadata = childOf(object, 'metadata') as JsonObject;
    this.#made += 1;
    object = { ...object, metadata: { uid: `uid-${this.#made}`, ...metadata, namespace: NAMESPACE } };
    if (!bypass) {
      const validated = await createValidation(this.#parts)(reviewOf(object), signal);
      if (validated.outcome !== 'allowed') return { stored: undefined, decision: validated };
    }
    this.objects.set(
      `${String(object['kind'])} ${NAMESPACE}/${String(metadataText(object, 'name'))}`,
      object,
    );
    return { stored: object, decision };
  }
}

const asItIs = (object: JsonObject): JsonObject => object;

const byName: MapRequester = ({ requester: { username }, namedUser }) => {
  if (username === CONTROLLER) return Promise.resolve({ outcome: 'trusted-controller', name: username });
  if (username.startsWith('system:'))
    return Promise.resolve({ outcome: 'refused', reason: 'system-requester', text: 'speaks for nobody' });
  if (username === 'hub' && namedUser !== undefined)
    return Promise.resolve({ outcome: 'user', user: namedUser, via: 'delegate', requester: username });
  return Promise.resolve({ outcome: 'user', user: username, via: 'itself', requester: username });
};

/** Kinds of the group `apps` and `batch` have one template, `Gang` one for each member of `spec.members`. */
const templateOfSpec: FindTemplates = ({ group, resource }, object) => {
  const spec = childOf(object, 'spec');
  const placeAt = (path: readonly string[]) => {
    const template = path.reduce<unknown>(childOf, object);
    return {
      pointer: `/${path.join('/')}`,
      annotations: [...path, 'metadata', 'annotations'],
      annotationsNow: new Map(Object.entries(textsOf(childOf(childOf(template, 'metadata'), 'annotations')))),
      digest: createHash('sha256')
        .update(JSON.stringify([childOf(template, 'spec')]))
        .digest('base64url'),
    };
  };
  if (resource === 'gangs') {
    const members = Object.keys(childOf(spec, 'members') ?? {});
    return { ok: true, places: members.map((member) => placeAt(['spec', 'members', member])) };
  }
  if (group !== 'apps' && group !== 'batch') return { ok: true, places: [] };
  if (childOf(spec, 'template') === undefined) return { ok: false, problem: '/spec/template is missing' };
  return { ok: true, places: [placeAt(['spec', 'template'])] };
};

function resourceOf(object: unknown, kind: string): ResourceName {
  return { group: kindOf(object).group, resource: `${kind.toLowerCase()}s` };
}

function kindOf(object: unknown): {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
} {
  const apiVersion = textOr(childOf(object, 'apiVersion'), 'v1');
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group, version: version ?? 'v1', kind: textOr(childOf(object, 'kind'), 'Pod') };
}

export function pod(name: string, changes: Record<string, unknown> = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...changes },
    spec: { containers: [{ name: 'main', image: 'trainer:1' }] },
  };
}

export function workload(
  kind: string,
  name: string,
  image = 'trainer:1',
  metadata: Record<string, unknown> = {},
): JsonObject {
  return {
    apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name, ...metadata },
    spec: {
      replicas: 1,
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image }] } },
    },
  };
}

/** What a controller makes of that owner's template: a pod, or a child of the given kind. */
export function madeBy(
  owner: JsonObject,
  child: { readonly kind: string; readonly name: string },
): JsonObject {
  const template = childOf(childOf(owner, 'spec'), 'template') as JsonObject;
  const metadata = {
    name: child.name,
    ownerReferences: [
      {
        apiVersion: owner['apiVersion'],
        kind: owner['kind'],
        name: metadataText(owner, 'name'),
        uid: metadataText(owner, 'uid'),
        controller: true,
      },
    ],
  };
  if (child.kind === 'Pod') {
    const annotations = textsOf(childOf(childOf(template, 'metadata'), 'annotations'));
    return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations }, spec: template['spec'] };
  }
  return {
    ...workload(child.kind, child.name),
    metadata,
    spec: { replicas: 1, template: structuredClone(template) },
  };
}

export function templateAnnotations(object: JsonObject | undefined): Readonly<Record<string, string>> {
  return annotationsOf(childOf(childOf(object, 'spec'), 'template'));
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
