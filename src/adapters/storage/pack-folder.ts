import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { type Digest, parseDigest } from '../../plan/names.ts';
import { startProcess } from '../processes/command.ts';
import { contained, type Privilege } from '../processes/sandbox.ts';

/**
 * The time of every file of a cache that others begin with, in seconds: the year 2100. Caches take the time of a file for that of its
 * last use: they would touch what looks old (and so copy it, from below an overlay), and remove it.
 */
export const neverOld = '4102444800';

const plain = `cd "$1" && find . \\( -type d -o -type f \\) -print0 | LC_ALL=C sort -z |
  tar --create --file=- --null --no-recursion --files-from=- --format=gnu --numeric-owner --mtime=@${neverOld}`;

/** Marks of overlays and rights of programs. Labels are for the machine that unpacks to give. */
const attributes = ['--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability'];

const everything = `cd "$1" && shift && tar --create --file=- --format=posix --numeric-owner ${attributes.join(' ')} -- "$@"`;

/** What was packed. */
export interface Packed {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Packs the files and folders of a folder (no links, no devices) into a file, tar and zstd, with their owners and modes; the same content
 * gives the same bytes.
 */
export function packFolder(folder: string, file: string, privilege: Privilege): Promise<Packed> {
  return pack(plain, [folder], file, privilege);
}

/** Packs what is in folders of a folder, whatever it is, with times and attributes. */
export function packEverything(
  folder: string,
  names: readonly string[],
  file: string,
  privilege: Privilege,
): Promise<Packed> {
  return pack(everything, [folder, ...names], file, privilege);
}

async function pack(
  script: string,
  folders: readonly string[],
  file: string,
  privilege: Privilege,
): Promise<Packed> {
  const line = contained(privilege, ['sh', '-c', script, 'sh', ...folders], { network: false });
  const tar = await startProcess(line.program, line.args, { cwd: '/', env: line.env });
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(piece: Buffer, _, done) {
      hash.update(piece);
      done(null, piece);
    },
  });
  const complaints = readAll(tar.stderr);
  const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
  if (tar.stdout === null) throw new Error('tar has no output');
  const compress = createZstdCompress(fast);
  await Promise.all([
    feed(tar.stdout, compress),
    pipeline(compress, hashing, createWriteStream(file)),
  ]);
  const { exitCode } = await tar.exited;
  if (exitCode !== 0) throw new Error(`cannot pack ${folders[0]}: ${await complaints}`);
  const digest = parseDigest(`sha256:${hash.digest('hex')}`) as Digest;
  return { digest, size: (await stat(file)).size };
}

/**
 * Writes a stream piece by piece, and then the end by itself: where the end comes with the last piece, which is a matter of
 * timing, the compressed bytes are others.
 */
async function feed(from: AsyncIterable<Buffer>, to: Writable): Promise<void> {
  for await (const piece of from)
    await new Promise<void>((done, fail) =>
      to.write(piece, (error) => (error ? fail(error) : done())),
    );
  to.end();
}

/** Bytes that are decompressed at a time. */
const large = 2 ** 20;

/** Unpacks such a file into a folder. */
export async function unpackFolder(
  file: string,
  folder: string,
  privilege: Privilege,
): Promise<void> {
  const unpack = [
    ...['tar', '--extract', '--file=-', '--preserve-permissions', '--same-owner'],
    ...['--numeric-owner', ...attributes, '--directory', folder],
  ];
  const line = contained(privilege, unpack, { network: false });
  const tar = await startProcess(line.program, line.args, {
    ...{ cwd: '/', env: line.env, stdin: 'pipe' },
  });
  tar.stdout?.resume();
  const complaints = readAll(tar.stderr);
  if (tar.stdin === null) throw new Error('tar has no input');
  const piped = pipeline(
    createReadStream(file, { highWaterMark: large }),
    createZstdDecompress({ chunkSize: large }),
    tar.stdin,
  ).then(
    () => undefined,
    // tar reads no further than the mark of the end, and nothing but zeros follows.
    (error: NodeJS.ErrnoException) => (stoppedReading.has(error.code ?? '') ? undefined : error),
  );
  const { exitCode } = await tar.exited;
  const error = await piped;
  if (exitCode !== 0 || error !== undefined)
    throw new Error(`cannot unpack ${file}: ${error?.message ?? ''} ${await complaints}`);
}

const stoppedReading: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

async function readAll(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const piece of stream ?? []) text = (text + String(piece)).slice(-2000);
  return text;
}
