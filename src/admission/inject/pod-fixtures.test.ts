import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { applyJsonPatch } from '../../../test/fakes/apply-json-patch.ts';
import { INJECTION } from '../../../test/fakes/pod-injection.ts';
import { Draft } from '../patch/draft.ts';
import { childOf, isList, isMap } from '../patch/json-value.ts';
import { missingOfInjected } from './check-injected.ts';
import { injectFetcher } from './inject-fetcher.ts';
import type { Injection } from './injection.ts';

/*
 * test/fixtures/pods/<case>: the pod as it is sent, and as it is patched; injection.yaml is what is configured otherwise
 * than in test/fakes/pod-injection.ts.
 */

const FIXTURES = new URL('../../../test/fixtures/pods/', import.meta.url);
const CASES = readdirSync(FIXTURES);

const read = (name: string, file: string): unknown =>
  parse(readFileSync(new URL(`${name}/${file}.yaml`, FIXTURES), 'utf8'));

function injectionOf(name: string): Injection {
  const isOther = existsSync(new URL(`${name}/injection.yaml`, FIXTURES));
  return isOther ? { ...INJECTION, ...(read(name, 'injection') as Partial<Injection>) } : INJECTION;
}

function inject(name: string, pod: unknown): unknown {
  const draft = new Draft(pod);
  const injected = injectFetcher(draft, { injection: injectionOf(name) });
  if (injected.outcome === 'refused') throw new Error(injected.text);
  const result = draft.finish();
  if (!result.ok) throw new Error(result.problem);
  expect(applyJsonPatch(pod, result.operations)).toEqual(result.wanted);
  return result.wanted;
}

describe('a pod that is labelled', () => {
  it.each(CASES)('gets what is expected: %s', (name) => {
    expect(inject(name, read(name, 'pod'))).toEqual(read(name, 'expected'));
  });

  it.each(CASES)('gets nothing more the second time, and nothing is missing then: %s', (name) => {
    const expected = read(name, 'expected');
    expect(inject(name, expected)).toEqual(expected);
    expect(missingOfInjected(expected, { injection: injectionOf(name) })).toBeUndefined();
  });

  it.each(CASES)('is well after what the API server itself adds: %s', (name) => {
    const stored = withDefaults(read(name, 'expected'));
    expect(inject(name, stored)).toEqual(stored);
    expect(missingOfInjected(stored, { injection: injectionOf(name) })).toBeUndefined();
  });
});

/** Defaults, and a token for the API server in every container: what is added to ours after us. */
function withDefaults(pod: unknown): unknown {
  const copy = structuredClone(pod) as { spec: Record<string, unknown> };
  for (const list of ['initContainers', 'containers']) {
    const containers = childOf(copy.spec, list);
    if (!isList(containers)) continue;
    for (const container of containers as Record<string, unknown>[]) {
      container['imagePullPolicy'] = 'Always';
      container['terminationMessagePath'] = '/dev/termination-log';
      const mounts = isList(container['volumeMounts']) ? container['volumeMounts'] : [];
      const path = '/var/run/secrets/kubernetes.io/serviceaccount';
      container['volumeMounts'] = [...mounts, { name: 'kube-api-access', mountPath: path, readOnly: true }];
      for (const probe of ['startupProbe', 'livenessProbe'].map((each) => container[each]).filter(isMap))
        Object.assign(probe, { successThreshold: 1 });
    }
  }
  const volumes = childOf(copy.spec, 'volumes');
  for (const volume of isList(volumes) ? volumes : []) {
    for (const source of ['projected', 'configMap'].map((each) => childOf(volume, each)).filter(isMap))
      Object.assign(source, { defaultMode: 420 });
  }
  return copy;
}
