/**
 * What we have to know of a Dockerfile: its base images and which build arguments it declares. Source of
 * the rules: https://docs.docker.com/reference/dockerfile/ (FROM, ARG, COPY --from, RUN --mount).
 */

/** An image from outside that a Dockerfile uses. */
export interface BaseUse {
  /** As written: `${RUNTIME}`. */
  readonly text: string;
  /** With build arguments put in: `registry.access.redhat.com/ubi9/ubi-minimal:latest`. */
  readonly image: string;
  /** Of its first use; from 1. */
  readonly line: number;
}

/**
 * Every image from outside that the Dockerfile names in FROM, `COPY --from` or `RUN --mount=…,from=`, once
 * each, in order. Stages and `scratch` are none.
 */
export function baseUses(
  dockerfile: string,
  args: Readonly<Record<string, string>>,
): readonly BaseUse[] {
  const found = new Map<string, BaseUse>();
  for (const { text, image, line, outside } of references(dockerfile, args))
    if (outside && !found.has(text)) found.set(text, { text, image, line });
  return [...found.values()];
}

/** Names of all build arguments that the Dockerfile declares with ARG, in any stage. */
export function declaredArgs(dockerfile: string): ReadonlySet<string> {
  const names = instructions(dockerfile)
    .filter(({ keyword }) => keyword === 'ARG')
    .flatMap(({ rest }) => words(rest).map((word) => word.split('=', 1)[0] as string));
  return new Set(names);
}

/** A Dockerfile whose FROM lines name their base images by digest, and the images that are missing. */
export interface PinnedDockerfile {
  readonly dockerfile: string;
  /** Every other name of a base (in `COPY --from`, `--mount`) → reference by digest. */
  readonly named: Readonly<Record<string, string>>;
  /** Images from outside that `bases` does not know. */
  readonly unknown: readonly string[];
}

/**
 * Puts the references of `bases` (by text as written, or with arguments put in) into the FROM lines; all
 * else stays as it is.
 */
export function pinBases(
  dockerfile: string,
  bases: Readonly<Record<string, string>>,
  args: Readonly<Record<string, string>>,
): PinnedDockerfile {
  const lines = dockerfile.split('\n');
  const named: Record<string, string> = {};
  const unknown = new Set<string>();
  for (const { text, image, outside, from, first, last } of references(dockerfile, args)) {
    if (!outside) continue;
    const pinned = bases[text] ?? bases[image];
    if (pinned === undefined) unknown.add(image);
    else if (!from) named[image] = pinned;
    else {
      const line = lines
        .slice(first, last + 1)
        .map(withoutContinuation)
        .join(' ');
      lines[first] = line.replace(text, () => pinned);
      // The number of lines stays the same: messages of the builder name lines of the original.
      for (let index = first + 1; index <= last; index++) lines[index] = '';
    }
  }
  return { dockerfile: lines.join('\n'), named, unknown: [...unknown] };
}

interface Reference extends BaseUse {
  /** False: a stage of this Dockerfile, or `scratch`. */
  readonly outside: boolean;
  /** True: of a FROM line. */
  readonly from: boolean;
  readonly first: number;
  readonly last: number;
}

function references(dockerfile: string, args: Readonly<Record<string, string>>): Reference[] {
  const result: Reference[] = [];
  const stages = new Set<string>(['scratch']);
  const globals: Record<string, string> = {};
  let count = 0;
  for (const { keyword, rest, first, last } of instructions(dockerfile)) {
    if (keyword === 'ARG' && count === 0) declare(rest, args, globals);
    if (keyword === 'FROM') {
      const [text = '', , name] = words(rest).filter((word) => !word.startsWith('--'));
      const image = expand(text, globals);
      const outside = !stages.has(image.toLowerCase());
      result.push({ text, image, line: first + 1, outside, from: true, first, last });
      count++;
      if (name !== undefined) stages.add(name.toLowerCase());
    }
    for (const image of sourceImages(keyword, rest)) {
      const outside = !stages.has(image.toLowerCase()) && !isStageNumber(image, count);
      result.push({ text: image, image, line: first + 1, outside, from: false, first, last });
    }
  }
  return result;
}

/** Arguments before the first FROM: the only ones that FROM lines see. */
function declare(
  rest: string,
  args: Readonly<Record<string, string>>,
  globals: Record<string, string>,
): void {
  for (const word of words(rest)) {
    const [name, ...value] = word.split('=');
    const given = args[name as string];
    if (given !== undefined) globals[name as string] = given;
    else if (value.length > 0) globals[name as string] = expand(unquoted(value.join('=')), globals);
  }
}

/** `--from=IMAGE`, and `from=IMAGE` of each `--mount`, at the beginning of an instruction. */
function sourceImages(keyword: string, rest: string): string[] {
  const images: string[] = [];
  if (!['COPY', 'ADD', 'RUN'].includes(keyword)) return images;
  for (const word of words(rest)) {
    if (!word.startsWith('--')) break;
    if (word.startsWith('--from=')) images.push(word.slice('--from='.length));
    if (word.startsWith('--mount='))
      for (const part of word.slice('--mount='.length).split(','))
        if (part.startsWith('from=')) images.push(part.slice('from='.length));
  }
  return images;
}

function isStageNumber(text: string, count: number): boolean {
  return /^\d+$/.test(text) && Number(text) < count;
}

/** `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`; what is not declared is empty. */
function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\})/g,
    (_, plain?: string, braced?: string, operator?: string, word = '') => {
      const value = values[plain ?? (braced as string)] ?? '';
      if (operator === '-') return value === '' ? word : value;
      if (operator === '+') return value === '' ? '' : word;
      return value;
    },
  );
}

/** One instruction of a Dockerfile. */
export interface Instruction {
  readonly keyword: string;
  readonly rest: string;
  /** First and last line, counted from 0. */
  readonly first: number;
  readonly last: number;
}

/** The instructions of a Dockerfile, continued lines joined and comments left out. */
export function instructions(dockerfile: string): Instruction[] {
  const result: Instruction[] = [];
  const lines = dockerfile.split('\n');
  for (let first = 0; first < lines.length; first++) {
    if (isSkipped(lines[first] as string)) continue;
    let last = first;
    let text = '';
    for (let index = first; index < lines.length; index++) {
      const line = lines[index] as string;
      // Comments and empty lines between continued lines do not end the instruction.
      if (index > first && isSkipped(line)) continue;
      last = index;
      text += ` ${withoutContinuation(line)}`;
      if (!continues(line)) break;
    }
    const [, keyword = '', rest = ''] = /^\s*(\S+)\s*(.*)$/s.exec(text) ?? [];
    result.push({ keyword: keyword.toUpperCase(), rest, first, last });
    first = last;
  }
  return result;
}

function isSkipped(line: string): boolean {
  return /^\s*(#.*)?$/.test(line);
}

function continues(line: string): boolean {
  return /\\\s*$/.test(line);
}

function withoutContinuation(line: string): string {
  return line.replace(/\\\s*$/, '').replace(/\r$/, '');
}

/** The words of an instruction, flags included. */
export function words(text: string): string[] {
  return text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
