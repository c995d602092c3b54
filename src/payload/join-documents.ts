/**
 * The texts of YAML files as one stream, each file followed by `---`, as `ko resolve` prints them. What
 * may stand only at the start of a file (byte order mark, directives, the first `---`) is left out.
 */
export function joinDocuments(texts: readonly string[]): string {
  return texts.map((text) => `${closed(opened(text))}---\n`).join('');
}

function opened(text: string): string {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  const first = lines.findIndex((line) => !/^\s*(#.*)?$/.test(line) && !line.startsWith('%YAML'));
  const isMarker = /^---\s*(#.*)?$/.test(lines[first] ?? '');
  return lines
    .filter(
      (line, index) =>
        index > first || !(line.startsWith('%YAML') || (isMarker && index === first)),
    )
    .join('\n');
}

// Not one line break more than the text needs: it would become part of a block scalar at its end.
function closed(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
