import { describe, expect, it } from '@jest/globals';
import { CONTROLLER, DecoratorWorld, madeBy, pod, workload } from '../../../test/fakes/decorator-world.ts';
import { INJECTION } from '../../../test/fakes/pod-injection.ts';
import type { JsonObject } from '../look-ups.ts';
import { annotationsOf } from '../object-metadata.ts';
import { Draft } from '../patch/draft.ts';
import type { JsonPath } from '../patch/json-pointer.ts';
import { childOf, type JsonValue } from '../patch/json-value.ts';
import { INJECT_LABEL, INJECTED_ANNOTATION } from './injection.ts';

const HADOOP_CONF = { configMap: 'hadoop-conf', krb5Conf: false };
const worldWith = (): DecoratorWorld =>
  new DecoratorWorld({ injection: { ...INJECTION, hadoopConf: HADOOP_CONF } });
const labelled = (label = 'true'): JsonObject => pod('train', { labels: { [INJECT_LABEL]: label } });

type Edit = (object: JsonObject) => JsonObject;
const edited =
  (edit: (draft: Draft) => void): Edit =>
  (object) => {
    const draft = new Draft(object);
    edit(draft);
    return draft.get([]) as JsonObject;
  };
const without = (...path: string[]): Edit => edited((draft) => draft.remove(path));
const having = (path: JsonPath, value: JsonValue): Edit => edited((draft) => draft.set(path, value));
const MAIN = ['spec', 'containers', '0'];
const [INIT, WATCH] = [
  ['spec', 'initContainers', '0'],
  ['spec', 'initContainers', '1'],
];

const namesOf = (object: JsonObject | undefined, list: string): unknown =>
  (childOf(childOf(object, 'spec'), list) as JsonObject[] | undefined)?.map(({ name }) => name);

describe('a pod that asks for the fetcher', () => {
  it('gets it with its stamp', async () => {
    const { stored } = await worldWith().create(labelled(), { by: 'alice' });
    expect(namesOf(stored, 'initContainers')).toEqual(['kerbridge-fetch', 'kerbridge-watch']);
    expect(annotationsOf(stored)).toMatchObject({
      [INJECTED_ANNOTATION]: 'main',
      'iddecorator.username': 'alice',
    });
  });

  it.each([
    ['without a configuration', new DecoratorWorld(), labelled(), 'injection-not-configured'],
    ['by another word', worldWith(), labelled('on'), 'injection-label'],
  ])('is refused %s [pod-injectable]', async (_, world, sent, reason) => {
    const { decision } = await world.create(sent, { by: 'alice' });
    expect(decision).toMatchObject({ outcome: 'refused', reason, user: 'alice' });
  });

  it('is told what it keeps', async () => {
    const own = having([...MAIN, 'env'], [{ name: 'HADOOP_CONF_DIR', value: '/own' }]);
    const { decision } = await worldWith().create(own(labelled()), { by: 'alice' });
    expect(decision).toMatchObject({ warnings: ['the container "main" keeps its own HADOOP_CONF_DIR'] });
  });

  it('gets it as one of a workload, whose template is left alone', async () => {
    const world = worldWith();
    const { stored: owner } = await world.create(workload('ReplicaSet', 'web'), { by: 'alice' });
    expect(childOf(childOf(childOf(childOf(owner, 'spec'), 'template'), 'spec'), 'initContainers')).toBe(
      undefined,
    );
    const made = having(['metadata', 'labels'], { [INJECT_LABEL]: 'init' })(
      madeBy(owner ?? {}, { kind: 'Pod', name: 'web-1' }),
    );
    const { stored } = await world.create(made, { by: CONTROLLER });
    expect(namesOf(stored, 'initContainers')).toEqual(['kerbridge-fetch']);
  });

  it('gets nothing if it speaks for nobody, and that is said', async () => {
    const world = worldWith();
    const { stored: owner } = await world.create(workload('ReplicaSet', 'old'), {
      by: 'alice',
      bypass: true,
    });
    const made = madeBy(owner ?? {}, { kind: 'Pod', name: 'old-1' });
    const asking = having(['metadata', 'labels'], { [INJECT_LABEL]: 'true' })(made);
    const { stored, decision } = await world.create(asking, { by: CONTROLLER });
    expect(namesOf(stored, 'initContainers')).toBeUndefined();
    expect(decision).toMatchObject({ warnings: [expect.stringMatching(/speaks for nobody/)] });
    const { decision: silent } = await world.create(made, { by: CONTROLLER });
    expect(silent).not.toHaveProperty('warnings');
  });

  it('has it in what another webhook adds before ours runs again, behind what that puts before ours', async () => {
    const mutator = edited((draft) => {
      draft.insert(['spec', 'initContainers'], { name: 'network', image: 'network:1' }, 'front');
      draft.insert(['spec', 'containers'], { name: 'proxy', image: 'proxy:1' }, 'back');
    });
    const { stored } = await worldWith().create(labelled('init'), { by: 'alice', mutator });
    expect(namesOf(stored, 'initContainers')).toEqual(['network', 'kerbridge-fetch']);
    expect(annotationsOf(stored)[INJECTED_ANNOTATION]).toBe('network,main,proxy');
  });

  it.each<readonly [string, Edit]>([
    ['the volume of the tokens', without('spec', 'volumes', '0')],
    ['all volumes', without('spec', 'volumes')],
    ['the environment of a container', without(...MAIN, 'env')],
    ['the mounts of a container', without(...MAIN, 'volumeMounts')],
    ['the group', without('spec', 'securityContext')],
    ['the init container', without(...INIT)],
    ['the sidecar', without(...WATCH)],
    ['what says that it was', without('metadata', 'annotations', INJECTED_ANNOTATION)],
  ])('has it again after another webhook took %s', async (_, mutator) => {
    const world = worldWith();
    const { stored: plain } = await world.create(labelled(), { by: 'alice' });
    const { stored } = await world.create(labelled(), { by: 'alice', mutator });
    expect(namesOf(stored, 'volumes')).toHaveLength(3);
    expect(stored?.['spec']).toMatchObject({
      containers: childOf(plain?.['spec'], 'containers') as object[],
      securityContext: { supplementalGroups: [60_832] },
    });
    expect(new Set(namesOf(stored, 'initContainers') as string[])).toEqual(
      new Set(['kerbridge-fetch', 'kerbridge-watch']),
    );
  });

  it.each<readonly [string, Edit]>([
    ['takes the volume of the tokens', without('spec', 'volumes', '0')],
    ['takes the conf dir', without('spec', 'volumes', '2')],
    [
      'makes a folder of the node of it',
      having(['spec', 'volumes', '0'], { name: 'kerbridge-tokens', hostPath: {} }),
    ],
    ['lets it be written to disk', having(['spec', 'volumes', '0', 'emptyDir', 'medium'], '')],
    ['takes the environment of a container', without(...MAIN, 'env')],
    ['points to another file', having([...MAIN, 'env', '0', 'value'], '/elsewhere')],
    ['takes the mounts of a container', without(...MAIN, 'volumeMounts')],
    ['lets a container write', without(...MAIN, 'volumeMounts', '0', 'readOnly')],
    ['takes the group', without('spec', 'securityContext')],
    ['takes the init container', without(...INIT)],
    ['takes the sidecar', without(...WATCH)],
    ['makes no sidecar of it', without(...WATCH, 'restartPolicy')],
    ['runs another image', having([...INIT, 'image'], 'mirror/kerbridge-fetch:0.1.0')],
    ['runs another command', having([...WATCH, 'command'], ['sh'])],
    ['asks another server', having([...INIT, 'env', '0', 'value'], 'https://other')],
    ['lets it run as root', having([...INIT, 'securityContext', 'runAsNonRoot'], false)],
    ['takes the label', without('metadata', 'labels', INJECT_LABEL)],
    ['switches it off', having(['metadata', 'labels', INJECT_LABEL], 'false')],
    ['makes another label of it', having(['metadata', 'labels', INJECT_LABEL], 'on')],
    ['takes what says so', without('metadata', 'annotations', INJECTED_ANNOTATION)],
    ['makes it a pod for Windows', having(['spec', 'os'], { name: 'windows' })],
    ['breaks it', having([...MAIN, 'env'], {})],
  ])('is refused when another webhook %s after ours [final-injection]', async (_, lateMutator) => {
    const { decision } = await worldWith().create(labelled(), { by: 'alice', lateMutator });
    expect(decision).toMatchObject({
      outcome: 'refused',
      reason: 'injection-removed',
      user: 'alice',
      text: expect.stringMatching(
        /is not as it was: .+\. Try again; if it stays so, another admission webhook/,
      ),
    });
  });

  it('is refused when another webhook asks for it after ours [final-injection]', async () => {
    const lateMutator = having(['metadata', 'labels', INJECT_LABEL], 'true');
    const { decision } = await worldWith().create(pod('train'), { by: 'alice', lateMutator });
    expect(decision).toMatchObject({ reason: 'injection-removed' });
  });

  it.each<readonly [string, Edit]>([
    ['adds a container', edited((draft) => draft.insert(['spec', 'containers'], { name: 'proxy' }, 'back'))],
    [
      'adds one before ours',
      edited((draft) => draft.insert(['spec', 'initContainers'], { name: 'net' }, 'front')),
    ],
    ['takes a container', having(['spec', 'containers'], [{ name: 'other', image: 'other:1' }])],
    ['gives the fetcher more', having([...INIT, 'resources'], { limits: { memory: '64Mi' } })],
    [
      'gives it an environment',
      edited((draft) => draft.insert([...INIT, 'env'], { name: 'A', value: 'a' }, 'back')),
    ],
    [
      'adds a group',
      edited((draft) => draft.insert(['spec', 'securityContext', 'supplementalGroups'], 5, 'front')),
    ],
  ])('passes when another webhook %s', async (_, lateMutator) => {
    const { decision } = await worldWith().create(labelled(), { by: 'alice', lateMutator });
    expect(decision).toMatchObject({ outcome: 'allowed' });
  });
});
