import { expect, test } from 'vitest';
import { RegistryTrouble } from './registry-trouble.ts';

const fatal = (message: string) =>
  `time="2026-11-23T19:32:19Z" level=fatal msg=${JSON.stringify(message)}\n`;

// Messages as skopeo 1.9.3 writes them.
test.for([
  [
    'not-found',
    'Error parsing image name "docker://r/a:2": reading manifest 2 in r/a: manifest unknown: manifest unknown',
  ],
  [
    'not-found',
    'Error parsing image name "docker://r/a:1": reading manifest 1 in r/a: name unknown: repository name not known to registry',
  ],
  [
    'denied',
    'Error parsing image name "docker://q/a:1": reading manifest 1 in q/a: unauthorized: access to the requested resource is not authorized',
  ],
  [
    'denied',
    'initializing source docker://r/a:1: Requesting bear token: invalid status code from registry 403 (Forbidden)',
  ],
  [
    'passing',
    'pinging container registry 127.0.0.1:5778: Get "http://127.0.0.1:5778/v2/": dial tcp 127.0.0.1:5778: connect: connection refused',
  ],
  [
    'passing',
    'reading manifest 1 in r/a: received unexpected HTTP status: 503 Service Unavailable',
  ],
  ['passing', 'Get "https://r/v2/": net/http: TLS handshake timeout'],
  ['passing', 'reading manifest sha256:404abc in r/a: toomanyrequests: slow down'],
  [
    'other',
    'pinging container registry no.invalid: Get "http://no.invalid/v2/": dial tcp: lookup no.invalid on 10.0.0.1:53: no such host',
  ],
  [
    'garbled',
    `reading config blob sha256:${'1'.repeat(64)}: Download config.json digest sha256:${'2'.repeat(64)} does not match expected sha256:${'1'.repeat(64)}`,
  ],
  ['passing', 'writing blob: uploading layer: blob upload unknown to registry'],
  ['other', 'Get "https://r:404/v2/": x509: certificate signed by unknown authority'],
  ['other', `writing manifest sha256:${'404503'.repeat(10)}4040: Manifest list must be converted`],
] as const)('%s: %s', ([trouble, message]) => {
  const read = RegistryTrouble.fromMessages(`Getting image source signatures\n${fatal(message)}`);
  expect(read).toMatchObject({ trouble, message });
});

test('what a registry says is read whatever bytes it has, and told without those that steer a terminal', () => {
  // Go quotes what it is told in its own way, which is not JSON's.
  const quoted = String.raw`"manifest unknown: \x1b]0;evil\a \x1b[31mred\x1b[0m \u202eno\nmore \\ \"Basic c2VjcmV0OnNlY3JldA==\" \U0001f600"`;
  const read = RegistryTrouble.fromMessages(`time="2026-11-23" level=fatal msg=${quoted}\n`);
  expect(read).toMatchObject({
    trouble: 'not-found',
    message: 'manifest unknown: red no more \\ "Basic …" 😀',
  });
  const long = RegistryTrouble.fromMessages(`Error: ${'x'.repeat(1_000_000)}`);
  expect(long.message.length).toBeLessThan(1000);
});
