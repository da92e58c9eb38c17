import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { BROUGHT, copyDeploy, DEPLOY, deployFiles, oneOf, parseManifests } from './deploy-copy.ts';
import type { DeployCopy, Manifest } from './deploy-copy.ts';
import { openKubectl, removeNamespace } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import { MONITORING_CRDS } from './monitoring-crds.ts';

/** kustomizations that can be built; components can't be alone, and are built within an overlay. */
const KUSTOMIZATIONS = [
  'base',
  'overlays/quick-start',
  'overlays/quick-start-check',
  'overlays/with-prometheus',
];
const COMPONENTS = ['components/check', 'components/prometheus'];
const EXAMPLES = [
  'examples/namespace.yaml',
  'examples/operators.yaml',
  'examples/pod-curl.yaml',
  'examples/pod-fetch.yaml',
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
    const template = (manifest: Manifest): object =>
      (manifest['spec'] as { template: { metadata: object; spec: object } }).template;

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
      return {
        Deployment: ofTemplate(oneOf(overlay, 'Deployment')),
        Job: ofTemplate(oneOf(overlay, 'Job', 'kerbridge-check')),
        ...Object.fromEntries(examples),
      };
    }

    it.each(['Deployment', 'Job', ...EXAMPLES.filter((name) => name.includes('/pod-'))])(
      'the pod of %s is admitted, and without its securityContext it is not',
      async (name) => {
        const pod = (await pods())[name];
        if (pod === undefined) throw new Error(`no pod ${name}`);
        const admitted = await kubectl.run(DRY_RUN, { input: JSON.stringify(pod) });
        expect(admitted).toMatchObject({ exitCode: 0, stderr: '' });

        const { securityContext: _, ...spec } = pod['spec'] as Record<string, unknown>;
        const bare = await kubectl.run(DRY_RUN, { input: JSON.stringify({ ...pod, spec }) });
        expect(bare.stderr).toContain('violates PodSecurity "restricted:latest"');
      },
    );
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

function asList(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
