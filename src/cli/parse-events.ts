import type { BuildEvent } from '../builds/event.ts';

/** An event, and the id to resume after it; '' where it has none. */
export interface SentEvent {
  readonly id: string;
  readonly event: BuildEvent;
}

/** Reads server-sent events (WHATWG HTML, 9.2.6) as our service writes them: one `data` line of JSON each. */
export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<SentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true });
    const blocks = rest.split('\n\n');
    // What follows the last empty line is not whole yet.
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = field(block, 'data');
      if (data !== '') yield { id: field(block, 'id'), event: JSON.parse(data) as BuildEvent };
    }
  }
}

function field(block: string, name: string): string {
  return block
    .split('\n')
    .filter((line) => line.startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trimStart())
    .join('\n');
}
