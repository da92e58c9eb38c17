import { z } from 'zod';
import { openStamp, sealStamp, type StampFormat, type StampResult } from './compact-stamp.ts';
import type { StampPublicKeys, StampSigningKey } from './stamp-keys.ts';
import { MAX_LENGTH, stampText, writeChecked } from './stamp-members.ts';

/** That the pods which controllers make from this template of this object speak for this user. For admission alone. */
export interface TemplateStamp {
  readonly namespace: string;
  /** Another namespace may have the name later, with other people in it. */
  readonly namespaceUid: string;
  /** `group/kind`, such as `apps/Deployment`; of the core group the kind alone. */
  readonly kind: string;
  readonly name: string;
  readonly user: string;
  /** The Kubernetes user who wrote the template. */
  readonly requester: string;
  /** SHA-256 of the template's content, base64url. */
  readonly digest: string;
}

const payloadSchema = z.strictObject({
  v: z.literal(1),
  ns: stampText(MAX_LENGTH.namespace),
  nsUid: stampText(MAX_LENGTH.uid),
  kind: stampText(MAX_LENGTH.kind),
  name: stampText(MAX_LENGTH.name),
  user: stampText(MAX_LENGTH.user),
  by: stampText(MAX_LENGTH.requester),
  digest: z.string().refine((text) => {
    const bytes = Buffer.from(text, 'base64url');
    return bytes.length === 32 && bytes.toString('base64url') === text;
  }),
});

const FORMAT: StampFormat<TemplateStamp> = {
  type: 'kerbridge-template-stamp',
  version: 1,
  write: ({ namespace, namespaceUid, kind, name, user, requester, digest }) =>
    writeChecked(payloadSchema, 'template stamp', {
      v: 1,
      ns: namespace,
      nsUid: namespaceUid,
      kind,
      name,
      user,
      by: requester,
      digest,
    }),
  read: (payload) => {
    const { data } = payloadSchema.safeParse(payload);
    if (data === undefined) return undefined;
    const { ns, nsUid, kind, name, user, by, digest } = data;
    return { namespace: ns, namespaceUid: nsUid, kind, name, user, requester: by, digest };
  },
};

/** @throws RangeError, by the member of the payload, for what `readTemplateStamp` would refuse */
export function signTemplateStamp(stamp: TemplateStamp, key: StampSigningKey): string {
  return sealStamp(FORMAT, stamp, key);
}

/** That it is a stamp of ours. Whose it is and whether the digest is that of the template, whoever has the object says. */
export function readTemplateStamp(text: string, keys: StampPublicKeys): StampResult<TemplateStamp> {
  return openStamp(FORMAT, text, keys);
}
