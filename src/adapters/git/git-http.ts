import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startProcess } from '../processes/command.ts';

/** A repository that a build exports. */
interface ExportedRepository {
  readonly tag: string;
  readonly owner: string;
  readonly repo: string;
}

/** A request of a client that only ever wants a commit or two is small. */
const requestLimit = 4 * 2 ** 20;

/**
 * Serves `<state>/git/<tag>/<owner>/<repo>.git` read-only by `git upload-pack` (gitprotocol-http(5));
 * undefined where there is no such repository. `makeMissing` may make one that is asked for.
 */
export function createGitHttp(
  state: string,
  makeMissing: (repository: ExportedRepository) => Promise<void> = async () => {},
) {
  const find = async (repository: ExportedRepository): Promise<string | undefined> => {
    if (!isPlain(repository)) return undefined;
    const found = await findRepository(state, repository);
    if (found !== undefined) return found;
    await makeMissing(repository);
    return findRepository(state, repository);
  };
  return {
    async advertise(
      repository: ExportedRepository,
      protocol: string,
      signal: AbortSignal,
    ): Promise<Readable | undefined> {
      const folder = await find(repository);
      if (folder === undefined) return undefined;
      const refs = await uploadPack(['--http-backend-info-refs', folder], folder, protocol, signal);
      // Version 2 has no announcement of the service: its answer begins with the version.
      const announcement = protocol.includes('version=2')
        ? []
        : ['001e# service=git-upload-pack\n0000'];
      return Readable.from(concatenate(announcement, refs.output), { objectMode: false });
    },

    async uploadPack(
      repository: ExportedRepository,
      protocol: string,
      request: Readable,
      signal: AbortSignal,
    ): Promise<Readable | undefined> {
      const folder = await find(repository);
      if (folder === undefined) return undefined;
      const git = await uploadPack([folder], folder, protocol, signal);
      // A request that breaks off or is too large ends git, and so the answer.
      pipeline(request, limited, git.input).catch(() => void git.kill());
      return git.output;
    },
  };
}

function isPlain({ tag, owner, repo }: ExportedRepository): boolean {
  return [tag, owner, repo].every((part) => /^[A-Za-z0-9_][-A-Za-z0-9_.]*$/.test(part));
}

async function findRepository(
  state: string,
  { tag, owner, repo }: ExportedRepository,
): Promise<string | undefined> {
  const folder = join(state, 'git', tag, owner, `${repo}.git`);
  const found = await stat(folder).catch(() => undefined);
  return found?.isDirectory() ? folder : undefined;
}

async function uploadPack(
  args: readonly string[],
  folder: string,
  protocol: string,
  signal: AbortSignal,
) {
  const git = await startProcess(
    'git',
    [
      '-c',
      'safe.directory=*',
      '-c',
      'uploadpack.allowAnySHA1InWant=true',
      'upload-pack',
      '--strict',
      '--stateless-rpc',
      ...args,
    ],
    {
      cwd: folder,
      stdin: 'pipe',
      env: {
        ...(protocol === '' ? {} : { GIT_PROTOCOL: protocol }),
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
      },
    },
  );
  const kill = () => void git.kill();
  signal.addEventListener('abort', kill, { once: true });
  void git.exited.then(() => signal.removeEventListener('abort', kill));
  // What git says on stderr is for its own log; unread, it would stop there.
  git.stderr?.resume();
  const output = git.stdout ?? new PassThrough().end();
  const input = git.stdin ?? new PassThrough();
  input.on('error', () => {});
  return { output, input, kill };
}

async function* concatenate(
  first: readonly string[],
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  for (const text of first) yield Buffer.from(text);
  yield* rest;
}

async function* limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > requestLimit) throw new Error('the request of the git client is too large');
    yield piece;
  }
}
