import { type Configuration, OpenidApi, WellKnownApi } from '@kubernetes/client-node';
import type { ReadServiceAccountIssuer, ServiceAccountIssuer } from '../authentication/signing-keys.ts';
import { fieldOf } from './api-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import type { CallDescription } from './error-of-status.ts';
import type { Call } from './operator-calls.ts';

/** Of a URL (`--service-account-issuer`). */
const MAX_ISSUER_LENGTH = 2_048;

/**
 * Reads the API server's OpenID discovery document and its JSON Web Key Set, both from the API server itself with our own
 * credentials. The document's `jwks_uri` is not looked at: it is for readers elsewhere, and may lead anywhere.
 */
export function createServiceAccountIssuerReader(options: {
  readonly call: Call;
  readonly configuration: Configuration;
}): ReadServiceAccountIssuer {
  const { call, configuration } = options;
  const wellKnownApi = new WellKnownApi(configuration);
  const openidApi = new OpenidApi(configuration);
  return async ({ signal } = {}) => {
    const [discovery, keySet] = await Promise.all([
      call(describe('/.well-known/openid-configuration'), signal, (callOptions) =>
        wellKnownApi.getServiceAccountIssuerOpenIDConfiguration({}, callOptions),
      ),
      call(describe('/openid/v1/jwks'), signal, (callOptions) =>
        openidApi.getServiceAccountIssuerOpenIDKeyset({}, callOptions),
      ),
    ]);
    return toServiceAccountIssuer(discovery, keySet);
  };
}

/** By default every service account is bound to that ClusterRole, as one of the group `system:serviceaccounts`. */
function describe(path: string): CallDescription {
  return {
    request: `GET ${path}`,
    rule: `\`get\` on \`${path}\``,
    fixes: {
      403: 'bind our service account to the ClusterRole `system:service-account-issuer-discovery`',
      404: 'set --service-account-issuer of the API server to an https URL: it publishes no signing keys otherwise',
    },
  };
}

/** The keys are left as they came. */
function toServiceAccountIssuer(discovery: unknown, keySet: unknown): ServiceAccountIssuer {
  const issuer = fieldOf(discovery, 'issuer');
  if (typeof issuer !== 'string' || issuer === '' || issuer.length > MAX_ISSUER_LENGTH)
    throw badReply('an OpenID discovery document without an issuer');
  const keys = fieldOf(keySet, 'keys');
  if (!Array.isArray(keys)) throw badReply('a JSON Web Key Set without keys');
  return { issuer, keys };
}

function badReply(what: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `the Kubernetes API sent ${what}`);
}
