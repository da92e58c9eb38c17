const project = (displayName, testMatch, extra = {}) => ({
  displayName,
  testMatch,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/strip-types-transform.mjs' },
  ...extra,
});

/** @type {import('jest').Config} */
export default {
  // Of it.concurrent: those tests wait for other processes, which wait for time to pass.
  maxConcurrency: 16,
  // The first test of a file has its imports in it, which take their time on a machine that does much else.
  testTimeout: 20_000,
  projects: [
    project('unit', ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.unit.test.ts']),
    project('integration', ['<rootDir>/test/integration/**/*.test.ts'], {
      setupFilesAfterEnv: ['<rootDir>/test/integration/set-timeout.mjs'],
    }),
    project('e2e', ['<rootDir>/test/e2e/**/*.test.ts'], {
      setupFilesAfterEnv: ['<rootDir>/test/e2e/set-timeout.mjs'],
    }),
  ],
};
