import { jest } from '@jest/globals';

// A whole set of services comes up and goes again. (jest does not take `testTimeout` for one project of several.)
jest.setTimeout(600_000);
