import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { silentLogger } from '../observability/logger.ts';
import { createMetrics } from '../observability/metrics.ts';
import { createAdmin } from './create-admin.ts';
import type { ReadinessReport } from './readiness.ts';

function start(report: () => ReadinessReport = () => ({ ready: true, status: 'ready', dependencies: [] })) {
  const metrics = createMetrics({ version: '0', processMetrics: false });
  return createAdmin({ metrics, logger: silentLogger, readiness: { report }, newRequestId: () => 'id' });
}

describe('the admin port', () => {
  it('is alive whatever its dependencies do', async () => {
    const admin = start(() => ({ ready: false, status: 'not-ready', dependencies: [] }));
    const response = await request(admin).get('/livez').expect(200);
    expect(response.body).toEqual({ status: 'alive' });
    expect(response.headers['x-powered-by']).toBeUndefined();
  });

  it.each([
    [true, 200, 'ready'],
    [false, 503, 'not-ready'],
    [false, 503, 'shutting-down'],
  ] as const)('ready %s is a %d', async (ready, status, word) => {
    const dependencies = [{ name: 'kubernetes', status: 'failing', blocking: !ready }] as const;
    const admin = start(() => ({ ready, status: word, dependencies }));
    const response = await request(admin).get('/readyz').expect(status);
    expect(response.body).toEqual({ status: word, dependencies });
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it('gives the numbers in the format of Prometheus', async () => {
    const response = await request(start()).get('/metrics').expect(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.text).toContain('kerbridge_build_info');
  });

  it.each(['/', '/metrics/', '/readyz/x', '/v1/credentials'])('%s is a 404', async (path) => {
    const response = await request(start()).get(path).expect(404);
    expect(response.body).toMatchObject({ code: 'not-found', requestId: 'id' });
  });

  it.each(['post', 'put', 'delete'] as const)('%s is a 405', async (method) => {
    const response = await request(start())[method]('/metrics').expect(405);
    expect(response.headers['allow']).toBe('GET, HEAD');
  });

  it('tells nothing of an unforeseen error, nor takes its status', async () => {
    const admin = start(() => {
      throw Object.assign(new Error('hunter2'), { status: 401 });
    });
    const response = await request(admin).get('/readyz').expect(500);
    expect(response.text).toBe('{"title":"Internal error","status":500,"code":"internal","requestId":"id"}');
  });
});
