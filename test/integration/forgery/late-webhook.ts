import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { ApiCaller } from '../api-caller.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');

export interface PatchStep {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

/** What a webhook of somebody else makes of an object that is about to be stored. */
export type Late = (object: LateObject) => readonly PatchStep[];
export interface LateObject {
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/**
 * A mutating webhook of somebody else that the API server asks after ours: it goes by the name of the configuration. It
 * only looks at objects with the label `late`.
 */
export class LateWebhook implements AsyncDisposable {
  /** What it does now. */
  late: Late = () => [];
  readonly #api: ApiCaller;
  readonly #path: string;
  readonly #close: () => Promise<void>;

  private constructor(api: ApiCaller, path: string, close: () => Promise<void>) {
    this.#api = api;
    this.#path = path;
    this.#close = close;
  }

  static async open(
    api: ApiCaller,
    reinvocationPolicy: 'Never' | 'IfNeeded',
    label: string,
  ): Promise<LateWebhook> {
    const [cert, key] = await Promise.all(
      ['localhost.crt', 'localhost.key'].map((file) => readFile(join(TLS, file))),
    );
    const server = createServer({ cert, key });
    const late = new LateWebhook(
      api,
      `${CONFIGURATIONS}/zz-late-${reinvocationPolicy.toLowerCase()}`,
      async () => {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      },
    );
    server.on('request', (asked, answer) => {
      void (async () => {
        const { request } = (await json(asked)) as { request: { uid: string; object: LateObject } };
        const patch = late.late(request.object);
        const changes =
          patch.length === 0
            ? {}
            : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
        const response = { uid: request.uid, allowed: true, ...changes };
        answer.setHeader('content-type', 'application/json');
        answer.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }));
      })();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const webhook = {
      name: 'late.test.example.com',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: `https://localhost:${port}/late`, caBundle: cert?.toString('base64') },
      failurePolicy: 'Fail',
      timeoutSeconds: 5,
      sideEffects: 'None',
      reinvocationPolicy,
      objectSelector: { matchLabels: { late: label } },
      rules: [
        {
          apiGroups: ['', 'apps'],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['pods', 'deployments'],
        },
      ],
    };
    const name = late.#path.slice(CONFIGURATIONS.length + 1);
    const body = { metadata: { name }, webhooks: [webhook] };
    await api.must(CONFIGURATIONS, { method: 'POST', body });
    return late;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api.call(this.#path, { method: 'DELETE' });
    await this.#close();
  }
}

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
