import type { Injection } from '../../src/admission/inject/injection.ts';

export const INJECTION: Injection = {
  image: 'kerbridge-fetch:0.1.0',
  program: 'fetch-credentials.sh',
  url: 'https://kerbridge.kerbridge:8443',
  audience: 'kerbridge',
  cluster: undefined,
  authority: undefined,
  hadoopConf: undefined,
  group: 60_832,
  resources: { cpu: '20m', memory: '32Mi', cpuLimit: undefined },
};
