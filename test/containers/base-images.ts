import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached, digestOf } from '../stack/cache.ts';
import { controlPlanePrograms } from '../stack/kubernetes/control-plane-programs.ts';
import { cacheRoot } from '../stack/paths.ts';
import { withElapsedTime } from '../stack/progress.ts';
import type { Progress } from '../stack/progress.ts';
import { inheritedEnvironment, mustRun, requireProgram } from '../stack/run-command.ts';
import type { Engine } from './engine.ts';

const recipes = join(import.meta.dirname, 'recipes');
const DEBIAN = 'docker.io/library/debian:bookworm-slim';
const RECIPE_LABEL = 'test.kerbridge.recipe';

interface BaseImage {
  /** The name that our Dockerfiles and docker-compose.yml use. */
  readonly name: string;
  /** File in `recipes`; `debian.sh` makes a root file system, the others are Dockerfiles. */
  readonly recipe: string;
  /** Images that it is made of. */
  readonly parents?: readonly string[];
  /** Versions of what comes from elsewhere. */
  readonly versions?: readonly string[];
  /** Puts what the recipe copies into its context. */
  readonly context?: (folder: string, progress: Progress) => Promise<void>;
  /** Made anew in seconds, so not worth an archive. */
  readonly quick?: boolean;
}

/** Stand-ins for the public images, out of package registries alone; a parent comes before its children. */
async function baseImages(): Promise<BaseImage[]> {
  const packages = await nodePackages();
  return [
    { name: DEBIAN, recipe: 'debian.sh' },
    {
      name: 'docker.io/library/node:24-bookworm-slim',
      recipe: 'node.Dockerfile',
      parents: [DEBIAN],
      versions: packages,
      context: (folder) => packInto(folder, packages),
    },
    {
      name: 'docker.io/library/eclipse-temurin:17-jre',
      recipe: 'temurin.Dockerfile',
      parents: [DEBIAN],
    },
    {
      name: 'docker.io/library/maven:3.9-eclipse-temurin-17',
      recipe: 'maven.Dockerfile',
      parents: [DEBIAN],
    },
    { name: 'docker.io/prom/prometheus:v3.5.0', recipe: 'prometheus.Dockerfile', parents: [DEBIAN] },
    {
      name: 'registry.k8s.io/etcd:3.6.8-0',
      recipe: 'etcd.Dockerfile',
      parents: [DEBIAN],
      context: (folder, progress) => copyServer('etcd', folder, progress),
      quick: true,
    },
    {
      name: 'registry.k8s.io/kube-apiserver:v1.36.3',
      recipe: 'kube-apiserver.Dockerfile',
      parents: [DEBIAN],
      context: (folder, progress) => copyServer('kubeApiserver', folder, progress),
      quick: true,
    },
  ];
}

/** Makes the base images that are missing or of an older recipe. From archives in the cache, where there are any. */
export async function ensureBaseImages(engine: Engine, progress: Progress): Promise<void> {
  const digests = new Map<string, string>();
  for (const image of await baseImages()) {
    const digest = digestOf(
      image.name,
      await readFile(join(recipes, image.recipe), 'utf8'),
      ...(image.versions ?? []),
      ...(image.parents ?? []).map((parent) => digests.get(parent) ?? ''),
    );
    digests.set(image.name, digest);
    if ((await recipeOf(engine, image.name)) === digest) continue;
    if (image.quick === true) {
      await build(engine, image, digest, progress);
      continue;
    }
    const slug = /([a-z-]+):/.exec(image.name)?.[1] ?? 'image';
    const folder = await cached({
      root: cacheRoot(),
      name: `image-${slug}-${digest}`,
      progress,
      build: async (target) => {
        await withElapsedTime(progress, `making the base image ${image.name}`, () =>
          build(engine, image, digest, progress),
        );
        await engine.podman(['save', '--quiet', '--output', join(target, 'image.tar'), image.name]);
      },
    });
    if ((await recipeOf(engine, image.name)) !== digest) {
      progress(`loading ${image.name} from the cache`);
      await engine.podman(['load', '--quiet', '--input', join(folder, 'image.tar')]);
    }
  }
}

async function recipeOf(engine: Engine, name: string): Promise<string | undefined> {
  const format = `{{ index .Config.Labels "${RECIPE_LABEL}" }}`;
  const result = await engine.tryPodman(['image', 'inspect', '--format', format, name]);
  return result.exitCode === 0 ? result.stdout.trim() : undefined;
}

async function build(
  engine: Engine,
  { name, recipe, context }: BaseImage,
  digest: string,
  progress: Progress,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-base-image-'));
  try {
    if (recipe.endsWith('.sh')) {
      const archive = join(folder, 'root.tar');
      await mustRun('sh', [join(recipes, recipe), archive], { env: inheritedEnvironment() });
      const changes = ['--change', 'CMD ["bash"]', '--change', `LABEL ${RECIPE_LABEL}=${digest}`];
      await engine.podman(['import', '--quiet', ...changes, archive, name]);
      return;
    }
    await context?.(folder, progress);
    const dockerfile = ['--file', join(recipes, recipe), '--label', `${RECIPE_LABEL}=${digest}`];
    await engine.buildah(['bud', '--quiet', '--pull-never', ...dockerfile, '--tag', name, folder]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the image of Node holds: the version that package.json pins, and the package managers that come with it. */
async function nodePackages(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, '../../package.json'), 'utf8');
  const version = /"node": "([0-9.]+)"/.exec(text)?.[1];
  if (version === undefined) throw new Error('package.json pins no version of the package node');
  return [`node-linux-${process.arch}@${version}`, 'npm@11.21.2', 'corepack@0.34.0', 'yarn@1.22.22'];
}

async function packInto(folder: string, packages: readonly string[]): Promise<void> {
  const npm = requireProgram('npm', 'Node.js');
  const destination = join(folder, 'packages');
  await mkdir(destination);
  for (const each of packages) {
    const packed = await mustRun(npm, ['pack', '--silent', '--pack-destination', destination, each], {
      env: inheritedEnvironment(),
      cwd: folder,
    });
    const file = packed.stdout.trim().split('\n').at(-1) ?? '';
    await copyFile(join(destination, file), join(folder, `${each.replace(/(-linux-.*)?@.*/, '')}.tgz`));
  }
  await rm(destination, { recursive: true });
}

async function copyServer(name: 'etcd' | 'kubeApiserver', folder: string, progress: Progress): Promise<void> {
  const [program] = (await controlPlanePrograms({ progress, marks: {} }))[name];
  await copyFile(program, join(folder, 'server'));
  // Kept apart from the other one: buildah takes its cache by content.
  await writeFile(join(folder, 'name'), name);
}
