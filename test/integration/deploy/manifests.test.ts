import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { BROUGHT, copyDeploy, DEPLOY, deployFiles, edit, oneOf, parseManifests } from './deploy-copy.ts';
import type { DeployCopy, Manifest } from './deploy-copy.ts';
import { openKubectl, removeNamespace } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import { MONITORING_CRDS } from './monitoring-crds.ts';

/** kustomizations that can be built; components can't be alone, and are built within an overlay. */
const KUSTOMIZATIONS = [
  'base',
  'overlays/quick-start',
  'overlays/quick-start-check',
  'overlays/production-example',
  'overlays/with-prometheus',
  'overlays/with-decorate',
  'overlays/with-decorate-audit-only',
];
const COMPONENTS = [
  'components/admission-policies',
  'components/check',
  'components/decorate',
  'components/decorate-audit-only',
  'components/prometheus',
];
const EXAMPLES = [
  'examples/namespace.yaml',
  'examples/operators.yaml',
  'examples/pod-curl.yaml',
  'examples/pod-fetch.yaml',
  'examples/pod-injected.yaml',
  'examples/pod-sidecar.yaml',
];
/** A configuration of Prometheus: alerts.test.ts. */
/** Of docker-compose.yml, which test/e2e brings up. */
const OF_COMPOSE = 'compose/';
const NO_MANIFESTS = ['examples/prometheus/scrape-config.yaml'];

const DRY_RUN = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--filename=-'];

describe('deploy/ on the real API server', () => {
  let stack: Stack;
  let kubectl: Kubectl;
  let copy: DeployCopy;

  beforeAll(async () => {
    stack = await readStack();
    kubectl = await openKubectl(stack);
    copy = await copyDeploy(stack);
    const base = parseManifests(await kubectl.must(['kustomize', copy.path('base')]));
    const objects = [
      ...MONITORING_CRDS,
      oneOf(base, 'Namespace'),
      oneOf(base, 'PriorityClass'),
      ...parseManifests(await readFile(join(DEPLOY, 'examples/namespace.yaml'), 'utf8')),
    ];
    await kubectl.must(['apply', '--server-side', '--filename=-'], { input: asList(objects) });
    await kubectl.must([
      'wait',
      '--for=condition=Established',
      '--timeout=30s',
      ...MONITORING_CRDS.map(({ metadata }) => `crd/${metadata.name}`),
    ]);
  });

  afterAll(async () => {
    for (const name of ['kerbridge', 'team-a']) await removeNamespace(kubectl, stack, name);
    await kubectl.must(['delete', 'priorityclass', 'kerbridge', '--ignore-not-found']);
    for (const { metadata } of MONITORING_CRDS) {
      await kubectl.must(['delete', 'crd', metadata.name, '--ignore-not-found']);
    }
    await copy[Symbol.asyncDispose]();
    await kubectl[Symbol.asyncDispose]();
  });

  it.each(KUSTOMIZATIONS)(
    '%s is built and accepted, with no field that the API server does not know',
    async (name) => {
      const input = await kubectl.must(['kustomize', copy.path(name)]);
      const applied = await kubectl.must(DRY_RUN, { input });
      expect(applied.trim().split('\n')).toHaveLength(parseManifests(input).length);
    },
  );

  it.each(EXAMPLES)('%s is accepted', async (name) => {
    const input = await readFile(join(DEPLOY, name), 'utf8');
    const applied = await kubectl.must(DRY_RUN, { input });
    expect(applied.trim().split('\n')).toHaveLength(parseManifests(input).length);
  });

  it('audit-only takes every no of the decorator back, and adds nothing to it', async () => {
    const build = async (name: string) =>
      parseManifests(await kubectl.must(['kustomize', copy.path('overlays', name)]));
    const [usual, auditOnly] = [await build('with-decorate'), await build('with-decorate-audit-only')];
    const policies = (manifests: readonly Manifest[]): unknown[] =>
      ['Mutating', 'Validating'].flatMap((kind) => {
        const found = oneOf(manifests, `${kind}WebhookConfiguration`, 'kerbridge-decorate');
        return (found['webhooks'] as { failurePolicy: unknown }[]).map((each) => each.failurePolicy);
      });
    expect(policies(usual)).toEqual(Array(7).fill('Fail'));
    expect(policies(auditOnly)).toEqual(Array(7).fill('Ignore'));
    const actions = (manifests: readonly Manifest[]): unknown[] =>
      manifests
        .filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding')
        .map(({ spec }) => (spec as { validationActions: unknown }).validationActions);
    expect(actions(usual)).toEqual(Array.from({ length: 5 }, () => ['Deny']));
    expect(actions(auditOnly)).toEqual(Array.from({ length: 5 }, () => ['Audit', 'Warn']));
    expect(JSON.stringify(oneOf(auditOnly, 'Deployment', 'kerbridge-decorate'))).toContain('"--audit-only"');
    expect(auditOnly).toHaveLength(usual.length);
  });

  it('no file of deploy/ is left out of these tests', async () => {
    const built = [...KUSTOMIZATIONS, ...COMPONENTS];
    const left = (await deployFiles()).filter(
      (file) =>
        !built.some((folder) => file.startsWith(`${folder}/`)) &&
        !EXAMPLES.includes(file) &&
        !file.startsWith(OF_COMPOSE) &&
        !NO_MANIFESTS.includes(file),
    );
    expect(left).toEqual([]);
    for (const component of COMPONENTS) {
      const text = await readFile(join(DEPLOY, component, 'kustomization.yaml'), 'utf8');
      expect(parseManifests(text)[0]?.kind).toBe('Component');
    }
  });

  it('a field that is misspelt is refused, so these tests would see one', async () => {
    const input = (await kubectl.must(['kustomize', copy.path('base')])).replace(
      'terminationGracePeriodSeconds',
      'terminationGracePeriod',
    );
    const refused = await kubectl.run(DRY_RUN, { input });
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain(
      '.spec.template.spec.terminationGracePeriod: field not declared in schema',
    );
  });

  describe('Pod Security restricted, enforced', () => {
    async function pods(): Promise<Record<string, Manifest>> {
      const overlay = parseManifests(
        await kubectl.must(['kustomize', copy.path('overlays/quick-start-check')]),
      );
      const ofTemplate = (manifest: Manifest): Manifest => {
        const { metadata, spec } = template(manifest) as { metadata: object; spec: object };
        return {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...metadata, name: 'of-template', namespace: 'kerbridge' },
          spec: { restartPolicy: 'Always', ...spec },
        };
      };
      const examples = await Promise.all(
        EXAMPLES.filter((name) => name.includes('/pod-')).map(async (name) => {
          const [pod] = parseManifests(await readFile(join(DEPLOY, name), 'utf8'));
          if (pod === undefined) throw new Error(`${name} is empty`);
          return [name, pod] as const;
        }),
      );
      const decorate = parseManifests(await kubectl.must(['kustomize', copy.path('overlays/with-decorate')]));
      return {
        Deployment: ofTemplate(oneOf(overlay, 'Deployment')),
        'Deployment of decorate': ofTemplate(oneOf(decorate, 'Deployment', 'kerbridge-decorate')),
        Job: ofTemplate(oneOf(overlay, 'Job', 'kerbridge-check')),
        ...Object.fromEntries(examples),
      };
    }

    it.each([
      'Deployment',
      'Deployment of decorate',
      'Job',
      ...EXAMPLES.filter((name) => name.includes('/pod-')),
    ])('the pod of %s is admitted, and without its securityContext it is not', async (name) => {
      const pod = (await pods())[name];
      if (pod === undefined) throw new Error(`no pod ${name}`);
      const admitted = await kubectl.run(DRY_RUN, { input: JSON.stringify(pod) });
      expect(admitted).toMatchObject({ exitCode: 0, stderr: '' });

      const { securityContext: _, ...spec } = pod['spec'] as Record<string, unknown>;
      const bare = await kubectl.run(DRY_RUN, { input: JSON.stringify({ ...pod, spec }) });
      expect(bare.stderr).toContain('violates PodSecurity "restricted:latest"');
    });
  });

  describe('decorate', () => {
    let rendered: Manifest[];
    let webhooks: readonly Webhook[];
    beforeAll(async () => {
      rendered = parseManifests(await kubectl.must(['kustomize', copy.path('overlays/with-decorate')]));
      webhooks = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].flatMap(
        (kind) => oneOf(rendered, kind, 'kerbridge-decorate')['webhooks'] as Webhook[],
      );
    });

    it('every webhook fails closed, soon, in opted-in namespaces only, and never in its own', () => {
      expect(webhooks).toHaveLength(7);
      for (const webhook of webhooks) {
        expect(webhook).toMatchObject({
          failurePolicy: 'Fail',
          timeoutSeconds: 5,
          sideEffects: 'None',
          matchPolicy: 'Equivalent',
          namespaceSelector: {
            matchLabels: { iddecorator: 'enabled' },
            matchExpressions: [
              {
                key: 'kubernetes.io/metadata.name',
                operator: 'NotIn',
                values: [
                  'kube-system',
                  oneOf(rendered, 'Deployment', 'kerbridge-decorate').metadata.namespace,
                ],
              },
            ],
          },
        });
        // A label that tenants write would let them out.
        expect(webhook).not.toHaveProperty('objectSelector');
      }
    });

    it('every webhook finds the Service, and the Service the pods', () => {
      const service = oneOf(rendered, 'Service', 'kerbridge-decorate');
      const { selector, ports } = service['spec'] as {
        selector: object;
        ports: [{ port: number; targetPort: string }];
      };
      for (const { clientConfig } of webhooks) {
        const { name, namespace } = service.metadata;
        expect(clientConfig.service).toMatchObject({ name, namespace, port: ports[0].port });
      }
      const { metadata, spec } = template(oneOf(rendered, 'Deployment', 'kerbridge-decorate')) as {
        metadata: { labels: object };
        spec: { containers: [{ ports: object[] }] };
      };
      expect(metadata.labels).toMatchObject(selector);
      expect(spec.containers[0].ports).toContainEqual(expect.objectContaining({ name: ports[0].targetPort }));
      // Not the Service of serve.
      expect(metadata.labels).not.toMatchObject(
        (oneOf(rendered, 'Service')['spec'] as { selector: object }).selector,
      );
    });

    it('follows to another namespace, its webhooks and rights with it', async () => {
      await using moved = await copyDeploy(stack);
      await edit(moved.path('overlays/with-decorate/kustomization.yaml'), (text) =>
        text.replace('"namespace":"kerbridge"', '"namespace":"hadoop"'),
      );
      const text = await kubectl.must(['kustomize', moved.path('overlays/with-decorate')]);
      const objects = parseManifests(text).filter(({ metadata }) => metadata.name.includes('decorate'));
      expect(JSON.stringify(objects)).not.toContain('"namespace":"kerbridge"');
      expect(JSON.stringify(objects).match(/"namespace":"hadoop","path"/g)).toHaveLength(7);
    });

    it('may read no Secret but its own', () => {
      const { rules } = oneOf(rendered, 'Role', 'kerbridge-decorate') as unknown as { rules: Rule[] };
      const reads = rules.filter(({ verbs }) => verbs.some((verb) => verb !== 'create'));
      expect(reads).toEqual([
        {
          apiGroups: [''],
          resources: ['secrets'],
          resourceNames: ['kerbridge-decorate-tls', 'kerbridge-stamp-keys'],
          verbs: ['get', 'update'],
        },
        {
          apiGroups: [''],
          resources: ['configmaps'],
          resourceNames: ['kerbridge-stamp-keys'],
          verbs: ['get', 'patch'],
        },
      ]);
      const cluster = (oneOf(rendered, 'ClusterRole', 'kerbridge-decorate') as unknown as { rules: Rule[] })
        .rules;
      expect(cluster.flatMap(({ resources }) => resources)).not.toContain('secrets');
    });

    it('may read the owners that its webhooks are asked about', () => {
      const { rules } = oneOf(rendered, 'ClusterRole', 'kerbridge-decorate') as unknown as { rules: Rule[] };
      const readable = rules.flatMap(({ apiGroups, resources, verbs }) =>
        verbs.includes('get')
          ? apiGroups.flatMap((group) => resources.map((name) => `${name}.${group}`))
          : [],
      );
      const asked = webhooks
        .flatMap((webhook) => webhook.rules)
        .flatMap(({ apiGroups, resources }) =>
          apiGroups.flatMap((group) => resources.map((name) => `${name}.${group}`)),
        )
        // No controller makes pods of a PodTemplate.
        .filter((name) => !name.includes('/') && !['bindings.', 'podtemplates.'].includes(name));
      expect(asked.filter((name) => !readable.includes(name))).toEqual([]);
    });
  });

  describe('the quick start', () => {
    it.each(BROUGHT)('names %s when it is missing', async (name) => {
      await using fresh = await copyDeploy(stack);
      const file = fresh.path('overlays/quick-start/files', name);
      await rm(file);
      const failed = await kubectl.run([
        'apply',
        '--dry-run=server',
        '--kustomize',
        fresh.path('overlays/quick-start'),
      ]);
      expect(failed.exitCode).not.toBe(0);
      expect(failed.stderr).toContain(`${file}: no such file or directory`);
      expect(failed.stdout).toBe('');
    });

    it('rolls out when what is read at the start changes, and not when what is followed does', async () => {
      await using fresh = await copyDeploy(stack);
      const overlay = fresh.path('overlays/quick-start');
      const deployment = async (): Promise<Manifest> =>
        oneOf(parseManifests(await kubectl.must(['kustomize', overlay])), 'Deployment');
      const before = await deployment();
      for (const followed of ['rules.yaml', 'files/kerbridge.keytab', 'files/tls.crt', 'files/tls.key']) {
        await writeFile(join(overlay, followed), 'changed');
      }
      expect(await deployment()).toEqual(before);
      const seen = [before];
      for (const read of [
        'kerbridge.yaml',
        'files/core-site.xml',
        'files/hdfs-site.xml',
        'files/krb5.conf',
      ]) {
        await writeFile(join(overlay, read), 'changed');
        const after = await deployment();
        expect(seen).not.toContainEqual(after);
        seen.push(after);
      }
    });
  });
});

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Webhook {
  readonly clientConfig: { readonly service: object };
  readonly rules: readonly Omit<Rule, 'verbs'>[];
}

const template = (manifest: Manifest): object =>
  (manifest['spec'] as { template: { metadata: object; spec: object } }).template;

function asList(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
