import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

export type DigestResult =
  { readonly ok: true; readonly digest: string } | { readonly ok: false; readonly problem: string };

/**
 * SHA-256 over the canonical JSON of a template's content, in base64url.
 *
 * The content that a mutating webhook sees is the content that is stored, unless a later webhook changes it: the API
 * server sets defaults while it decodes the request, before admission, and again after each webhook's patch
 * (kubernetes/apiserver, endpoints/handlers/create.go: DecoderToVersion, then Admit; admission/plugin/webhook/mutating/
 * dispatcher.go: GetObjectDefaulter after patchObj.Apply). Nor may a newer API server read other defaults into a stored
 * PodTemplateSpec: that would roll out every workload, and Kubernetes has a test against it (kubernetes/kubernetes,
 * pkg/apis/core/v1/defaults_test.go, TestWorkloadDefaults). A custom resource has no such promise: a CRD that gains a
 * default below the content makes old stamps fail, and they have to be stamped anew.
 */
export function digestOf(content: unknown): DigestResult {
  const canonical = canonicalJson(content);
  if (!canonical.ok) return { ok: false, problem: `the template cannot be hashed: ${canonical.problem}` };
  return { ok: true, digest: createHash('sha256').update(canonical.text).digest('base64url') };
}
