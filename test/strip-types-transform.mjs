import { createHash } from 'node:crypto';
import { stripTypeScriptTypes } from 'node:module';

// The same stripper as production, so that a test runs the code that ships (ADR 1).
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
  getCacheKey: (source, path) =>
    createHash('sha256').update(process.version).update(path).update(source).digest('hex'),
};
