import { createHash } from 'node:crypto';
import { stripTypeScriptTypes } from 'node:module';

// `npm run test:mutants` runs the tests with one security check switched off. The parser is loaded for it alone.
// oxlint-disable-next-line no-restricted-properties -- jest hands no option of a run to a transform
const mutant = process.env.KERBRIDGE_MUTANT ?? '';
const { switchOff } = mutant === '' ? {} : await import('./mutants/checks.ts');

const isMutant = (source) => mutant !== '' && new RegExp(`//\\s*check:\\s*${mutant}\\s*$`, 'm').test(source);

// The same stripper as production, so that a test runs the code that ships (ADR 1).
export default {
  process: (source) => ({
    code: stripTypeScriptTypes(isMutant(source) ? switchOff(source, mutant) : source),
  }),
  // Only the file with the check is kept apart: all others are the same for every mutant.
  getCacheKey: (source, path) =>
    createHash('sha256')
      .update(process.version)
      .update(path)
      .update(isMutant(source) ? `mutant ${mutant}` : '')
      .update(source)
      .digest('hex'),
};
