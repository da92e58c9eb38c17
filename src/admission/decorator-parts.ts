import type { StampPublicKeys, StampSigningKey } from '../identity/stamps/stamp-keys.ts';
import type { Clock } from '../time/clock.ts';
import type { Injection } from './inject/injection.ts';
import type { ReadObject, ReadStoredSchemas, ResourceName } from './look-ups.ts';
import type { IsExempt } from './requester/requester-rules.ts';
import type { MapRequester, VerifyPodStamp } from './requester/requester.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import type { TemplatePlace } from './templates/find-templates.ts';

/** A template of pods, as `findTemplates` finds it, with the digest of what its stamp covers. */
export interface DigestedTemplate extends Omit<TemplatePlace, 'content'> {
  /** SHA-256, base64url. */
  readonly digest: string;
}

export type TemplatesFound =
  | { readonly ok: true; readonly places: readonly DigestedTemplate[] }
  /** The object isn't what its kind is: a sentence for the person. */
  | { readonly ok: false; readonly problem: string };

/** None for a resource that has no templates, as far as is known. */
export type FindTemplates = (resource: ResourceName, object: unknown) => TemplatesFound;

/** The key that signs now, and those that verify. */
export interface StampKeysNow {
  readonly signing: StampSigningKey;
  readonly all: StampPublicKeys;
}

/** The UID of the namespace if it takes part. Rejects when it could not be asked. */
export type OptedInNamespace = (namespace: string, signal: AbortSignal) => Promise<string | undefined>;

export interface GuardSwitches {
  /** exec, attach, portforward, proxy. */
  readonly connect: boolean;
  readonly images: boolean;
  readonly ephemeralContainers: boolean;
}

/** What the decisions ask. */
export interface DecoratorParts {
  /** Key of the user annotation. */
  readonly annotation: string;
  /** undefined: there are none yet. */
  readonly keys: () => StampKeysNow | undefined;
  readonly optedInNamespace: OptedInNamespace;
  readonly mapRequester: MapRequester;
  readonly verifyPodStamp: VerifyPodStamp;
  readonly readObject: ReadObject;
  readonly findTemplates: FindTemplates;
  readonly readStoredSchemas: ReadStoredSchemas;
  /** Told each time a stamp will be dropped with the annotations that it is in. */
  readonly onDroppedStamp?: ((resource: ResourceName) => void) | undefined;
  /** Whether RBAC gives the requester the verb `keep-identity` on that object. Rejects when it could not be asked. */
  readonly mayKeepIdentity: (review: AdmissionRequest, signal: AbortSignal) => Promise<boolean>;
  readonly isExempt: IsExempt;
  /** What of other people's stamped pods is guarded. */
  readonly guard: GuardSwitches;
  /** undefined: nothing is injected, and a pod that asks for it is refused. */
  readonly injection?: Injection | undefined;
  readonly clock: Clock;
  /** Of the letters and digits that names may have, so many. */
  readonly randomName: (length: number) => string;
}

/** Where there are keys. */
export interface PartsAndKeys {
  readonly parts: DecoratorParts;
  readonly keys: StampKeysNow;
}

/** On a workload, once: whoever changes the template of another makes it theirs. The value is their own user. */
export const CLAIM_ANNOTATION = 'kerbridge.dev/claim';
