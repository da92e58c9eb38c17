// Builds kube-controller-manager if the cache lacks it, with progress: tests that start it wait for seconds, not for minutes.
import { controllerManagerProgram } from './kubernetes/control-plane-programs.ts';
import { stackDir } from './paths.ts';
import { processMarks } from './processes.ts';
import { toStderr } from './progress.ts';

await controllerManagerProgram({ progress: toStderr, marks: processMarks(stackDir(), 'build') });
