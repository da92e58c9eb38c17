import { writeFile } from 'node:fs/promises';
import { METRICS_DOC, renderMetricsDoc } from './metrics-doc.ts';

await writeFile(METRICS_DOC, await renderMetricsDoc());
