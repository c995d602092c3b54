import { once } from 'node:events';
import { connect } from 'node:http2';

/** A protobuf message: number of a field → what it holds, texts and messages as bytes, numbers left out. */
export type Message = ReadonlyMap<number, readonly Buffer[]>;

/** Calls a method of a gRPC server without TLS, with texts as the fields 1, 2, … of its request; gives every message of the answer. */
export async function callGrpc(
  address: string,
  method: string,
  ...texts: readonly string[]
): Promise<Message[]> {
  const session = connect(`http://${address}`);
  try {
    await once(session, 'connect');
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let trailers: Record<string, unknown> = {};
    const take = (headers: Record<string, unknown>) => (trailers = { ...trailers, ...headers });
    stream.on('response', take);
    stream.on('trailers', take);
    stream.end(frame(Buffer.concat(texts.map((text, index) => field(index + 1, text)))));
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece as Buffer);
    if (trailers['grpc-status'] !== '0') throw new Error(`${method}: ${JSON.stringify(trailers)}`);
    return messagesOf(Buffer.concat(pieces));
  } finally {
    session.close();
  }
}

/** The first text of a field, or undefined. */
export function textIn(message: Message | undefined, number: number): string | undefined {
  return message?.get(number)?.[0]?.toString();
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Short texts only: their length is one byte. */
function field(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 127) throw new Error(`too long for this helper: ${text}`);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

function messagesOf(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    messages.push(parseMessage(bytes.subarray(at + 5, end)));
    at = end;
  }
  return messages;
}

function parseMessage(bytes: Buffer): Message {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
    } else if ((tag & 7) === 2) {
      const length = varint();
      const number = tag >> 3;
      fields.set(number, [...(fields.get(number) ?? []), bytes.subarray(at, at + length)]);
      at += length;
    } else {
      throw new Error(`wire type ${tag & 7} is not known here`);
    }
  }
  return fields;
}
