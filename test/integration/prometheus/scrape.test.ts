import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { askCredentials, ServeWorld } from '../serve/serve-world.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { promtool } from './promtool.ts';

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

describe('Prometheus and kerbridge serve', () => {
  let world: ServeWorld;
  let serve: ServeProcess;
  let url: string;
  let targets: string;

  beforeAll(async () => {
    world = await ServeWorld.create();
    const { prometheus } = world.stack;
    if (prometheus === undefined)
      throw new Error('the stack has no Prometheus: run "npm run stack -- up --prometheus"');
    ({ url } = prometheus);
    targets = join(prometheus.targetsDir, 'scrape-test.json');
    serve = await world.serve();
    // Something happened, so that metrics with labels have values too.
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    expect(await askCredentials(serve, serviceAccountToken)).toMatchObject({ status: 200 });
    expect(await askCredentials(serve, undefined)).toMatchObject({ status: 401 });
  });

  afterAll(async () => {
    await rm(targets, { force: true });
    await world[Symbol.asyncDispose]();
  });

  const target = () => new URL(serve.adminUrl).host;
  const query = async (expression: string): Promise<readonly Sample[]> => {
    const response = await fetch(
      `${url}/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`,
    );
    const { data } = (await response.json()) as { data: { result: readonly Sample[] } };
    return data.result;
  };
  const valueOf = async (expression: string): Promise<string | undefined> => {
    const [sample] = await query(expression);
    return sample?.value[1];
  };

  it('promtool has no complaint about /metrics', async () => {
    const metrics = await (await fetch(`${serve.adminUrl}/metrics`)).text();
    expect(metrics).toContain('kerbridge_credentials_total{outcome="issued"} 1');
    const checked = await promtool(['check', 'metrics'], metrics);
    expect(checked).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const complaint = await promtool(['check', 'metrics'], '# TYPE x counter\nx 1\n');
    expect(complaint.exitCode).toBe(3);
  });

  it('a real Prometheus scrapes it, sees what happened, and notices when it is gone', async () => {
    const labels = `{instance="${target()}"}`;
    await writeFile(targets, JSON.stringify([{ targets: [target()], labels: { pod: 'kerbridge-0' } }]));
    await waitFor(async () => (await valueOf(`up${labels}`)) === '1');
    expect(await query(`kerbridge_build_info${labels}`)).toMatchObject([
      {
        metric: { pod: 'kerbridge-0', job: 'kerbridge', version: expect.any(String) },
        value: [expect.anything(), '1'],
      },
    ]);
    expect(await valueOf(`kerbridge_credentials_total{outcome="issued",instance="${target()}"}`)).toBe('1');
    expect(await query(`kerbridge_dependency_ready${labels} == 0`)).toEqual([]);
    expect((await query(`kerbridge_dependency_ready${labels}`)).length).toBeGreaterThan(4);

    await serve.stop();
    await waitFor(async () => (await valueOf(`up${labels}`)) === '0');
  });
});
