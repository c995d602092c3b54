/** Files (`7`: contiguous ones), links, devices, folders, pipes, and headers that belong to the next one. */
const known: ReadonlySet<string> = new Set(['\0', ...'01234567', ...'xgLK']);
const withoutBody: ReadonlySet<string> = new Set('123456');

/**
 * Says which header of an archive has a type that the tar library does not know: it would take the entry for a plain file, and a sparse
 * file or a list of names of GNU tar for its content. Everything else in the headers is the library's to judge.
 */
export function strangeType(archive: Buffer): string | undefined {
  for (let at = 0; at + 512 <= archive.length; ) {
    // The end, or what the library refuses.
    if (archive[at] === 0 && archive.subarray(at, at + 512).every((byte) => byte === 0)) return;
    const type = String.fromCharCode(archive[at + 156] as number);
    if (!known.has(type)) return `it has an entry of unknown type ${JSON.stringify(type)}`;
    const size = withoutBody.has(type) ? 0 : sizeAt(archive, at + 124);
    if (!(size >= 0)) return;
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return;
}

/** Twelve octal digits, or 95 bits after a first bit that says so; NaN where it is neither. */
function sizeAt(archive: Buffer, start: number): number {
  const field = archive.subarray(start, start + 12);
  const first = field[0] as number;
  if ((first & 0x80) !== 0)
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, first & 0x7f);
  const end = field.indexOf(0);
  const digits = field.toString('latin1', 0, end === -1 ? 12 : end).replaceAll(' ', '');
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}
