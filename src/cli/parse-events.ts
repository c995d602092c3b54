import type { BuildEvent } from '../builds/event.ts';

/** Reads server-sent events (WHATWG HTML, 9.2.6) as our service writes them: one `data` line of JSON each. */
export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<BuildEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true });
    const blocks = rest.split('\n\n');
    // What follows the last empty line is not whole yet.
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice('data:'.length).trimStart())
        .join('\n');
      if (data !== '') yield JSON.parse(data) as BuildEvent;
    }
  }
}
