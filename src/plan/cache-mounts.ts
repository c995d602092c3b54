import { instructions, words } from './dockerfile.ts';

/** A folder of the builder that a RUN sees instead of its image's. */
export interface CacheMount {
  /** What buildah calls it. */
  readonly id: string;
  /** Absolute path in the container. */
  readonly folder: string;
}

/**
 * The base images (as FROM names them) of stages that can have a compile cache: those that run something, and that the last
 * stage does not grow from. Nothing of a mount, not even its mount point, is then ever part of the image.
 */
export function cachedBases(dockerfile: string): readonly string[] {
  const stages = cachedStages(dockerfile).filter(({ runs }) => runs.length > 0);
  return [...new Set(stages.map(({ base }) => base))];
}

/** Puts mounts (by base image of the stage) into every RUN of the stages that can have a compile cache. */
export function mountCaches(
  dockerfile: string,
  mounts: Readonly<Record<string, readonly CacheMount[]>>,
): string {
  const lines = dockerfile.split('\n');
  for (const { base, runs } of cachedStages(dockerfile))
    for (const { line, rest } of runs) {
      const flags = (mounts[base] ?? [])
        // A mount that the Dockerfile brings along counts.
        .filter(({ folder }) => !words(rest).some((word) => isMountOf(word, folder)))
        .map(({ id, folder }) => ` --mount=type=cache,id=${id},target=${folder}`);
      lines[line] = (lines[line] as string).replace(/^\s*\w+/, (run) => run + flags.join(''));
    }
  return lines.join('\n');
}

interface Stage {
  readonly name: string;
  /** Base image of the stage, or of the first of those that it grows from. */
  readonly base: string;
  /** The stage that it grows from. */
  readonly from: Stage | undefined;
  readonly runs: { readonly line: number; readonly rest: string }[];
}

function cachedStages(dockerfile: string): readonly Stage[] {
  const stages: Stage[] = [];
  for (const { keyword, rest, first } of instructions(dockerfile)) {
    if (keyword === 'FROM') {
      const [image = '', , name = ''] = words(rest).filter((word) => !word.startsWith('--'));
      const from = stages.find((stage) => stage.name === image.toLowerCase());
      const base = from?.base ?? image;
      stages.push({ name: name.toLowerCase(), base, from, runs: [] });
    }
    if (keyword === 'RUN') stages.at(-1)?.runs.push({ line: first, rest });
  }
  const kept = new Set<Stage>();
  for (let stage = stages.at(-1); stage !== undefined; stage = stage.from) kept.add(stage);
  return stages.filter((stage) => !kept.has(stage));
}

function isMountOf(word: string, folder: string): boolean {
  const options = word.startsWith('--mount=') ? word.slice('--mount='.length).split(',') : [];
  return options.some((option) =>
    ['target', 'destination', 'dst'].some((key) => option === `${key}=${folder}`),
  );
}
