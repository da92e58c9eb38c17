import { jest } from '@jest/globals';

// Real servers fail over, restart and start JVMs. (jest does not take `testTimeout` for one project of several.)
jest.setTimeout(120_000);
