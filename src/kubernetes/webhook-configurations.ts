import { fieldOf, isStatusAbout } from './api-reply.ts';
import { type CallDescription, errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import type { Signalled } from './operator-calls.ts';
import type { Reply } from './exchange.ts';
import type { Transport } from './transport.ts';

export interface WebhookConfigurationId {
  readonly kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration';
  readonly name: string;
}

const RESOURCES: Readonly<Record<WebhookConfigurationId['kind'], string>> = {
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
};

/** Each time somebody else has written in between. */
const MAX_ATTEMPTS = 5;

/**
 * Makes this PEM the `caBundle` of every webhook of the configuration, and changes nothing else of it; writes only what is
 * different, and only over what was read. Rejects with KubernetesApiError. `get` and `update` on that configuration.
 */
export type PutCaBundle = (
  id: WebhookConfigurationId,
  caBundle: string,
  options?: Signalled,
) => Promise<'unchanged' | 'written'>;

export function createPutCaBundle({
  transport,
  server,
}: {
  readonly transport: Transport;
  readonly server: string;
}): PutCaBundle {
  return async (id, caBundle, { signal } = {}) => {
    const resource = RESOURCES[id.kind];
    const url = `${server.replace(/\/+$/, '')}/apis/admissionregistration.k8s.io/v1/${resource}/${encodeURIComponent(id.name)}`;
    const encoded = Buffer.from(caBundle).toString('base64');
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const reading = describe('get', id);
      const found = read(await transport.get(url, { signal }), reading);
      if (fieldOf(found, 'kind') !== id.kind || fieldOf(fieldOf(found, 'metadata'), 'name') !== id.name) {
        throw new KubernetesApiError(
          'bad-reply',
          `${reading.request}: the Kubernetes API sent another object`,
        );
      }
      // With the version that was read in its metadata.
      const changed = withCaBundle(found, encoded);
      if (changed === undefined) return 'unchanged';
      const body = JSON.stringify(changed);
      const reply = await transport.send({ method: 'PUT', url, body, signal });
      if (!isConflict(reply, id)) {
        read(reply, describe('update', id));
        return 'written';
      }
    }
    throw new KubernetesApiError(
      'bad-reply',
      `${id.kind} ${id.name} was changed by others ${MAX_ATTEMPTS} times in a row`,
      { fix: 'does somebody else write its caBundle, like cert-manager? let one do it' },
    );
  };
}

/** undefined: it is so already. */
function withCaBundle(configuration: unknown, caBundle: string): object | undefined {
  const webhooks = fieldOf(configuration, 'webhooks') ?? [];
  if (typeof configuration !== 'object' || configuration === null || !Array.isArray(webhooks)) {
    throw new KubernetesApiError(
      'bad-reply',
      'the Kubernetes API sent a webhook configuration without webhooks',
    );
  }
  const clients = webhooks.map((webhook: unknown) => fieldOf(webhook, 'clientConfig'));
  if (clients.every((client) => fieldOf(client, 'caBundle') === caBundle)) return undefined;
  return {
    ...configuration,
    webhooks: webhooks.map((webhook: unknown, index) => ({
      ...asObject(webhook),
      clientConfig: { ...asObject(clients[index]), caBundle },
    })),
  };
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function describe(verb: 'get' | 'update', { kind, name }: WebhookConfigurationId): CallDescription {
  const rule = `\`${verb}\` on \`${RESOURCES[kind]}\` of \`admissionregistration.k8s.io\`, resourceName \`${name}\``;
  return {
    request: `${verb.toUpperCase()} ${kind} ${name}`,
    rule,
    fixes: { 404: `apply the ${kind} ${name}, or correct its name in the configuration` },
  };
}

function isConflict({ status, bytes }: Reply, { kind, name }: WebhookConfigurationId): boolean {
  const body = bytes.toString();
  return (
    status === 409 &&
    isStatusAbout(body, { reason: 'Conflict', kind: `${RESOURCES[kind]}.admissionregistration.k8s.io`, name })
  );
}

function read(reply: Reply, what: CallDescription): unknown {
  const json = jsonOfReply(reply);
  if (json === undefined) throw errorOfStatus(what, reply.status, reply.retryAfter);
  return json;
}
