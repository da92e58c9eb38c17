import { metadataText } from './object-metadata.ts';
import type { AdmissionRequest } from './review/admission-request.ts';

/** Letters and digits of 48 bits and more: the API server's own five are few enough to collide, and it tries again then. */
export const RANDOM_LENGTH = 10;
/** Of a name that the API server makes itself (`maxNameLength` of its name generator): fits a label. */
const MAX_LENGTH = 63;

/**
 * The name an object has or will have. A stamp needs it, so with `generateName` it is chosen here and not by the API
 * server, which does so after the webhooks. undefined: it has neither.
 */
export function nameOf(
  { object, name }: Pick<AdmissionRequest, 'object' | 'name'>,
  randomName: (length: number) => string,
): string | undefined {
  const given = metadataText(object, 'name') ?? (name === '' ? undefined : name);
  if (given !== undefined) return given;
  const base = metadataText(object, 'generateName');
  return base === undefined
    ? undefined
    : base.slice(0, MAX_LENGTH - RANDOM_LENGTH) + randomName(RANDOM_LENGTH);
}
