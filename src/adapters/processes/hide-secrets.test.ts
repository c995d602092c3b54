import { expect, test } from 'vitest';
import { hideSecrets } from './hide-secrets.ts';

const secret = 'p@ss/word';
const pair = Buffer.from(`me:${secret}`).toString('base64');

test.for([
  ['the value itself', `denied: ${secret}.`, 'denied: ***.'],
  ['in base64', `token ${Buffer.from(secret).toString('base64')}`, 'token ***'],
  ['percent-encoded', 'q=p%40ss%2Fword&x', 'q=***&x'],
  [
    'a pair of user and password',
    `remote: Authorization: Basic ${pair}`,
    'remote: Authorization: Basic ***',
  ],
  [
    'user and password of any URL',
    'proxy http://u:other@proxy.example.com:3128: refused',
    'proxy http://***@proxy.example.com:3128: refused',
  ],
  [
    'nothing else',
    'https://example.com/a@b me@example.com',
    'https://example.com/a@b me@example.com',
  ],
])('%s is taken out', ([, text = '', hidden]) => {
  expect(hideSecrets(text, [secret, pair])).toBe(hidden);
});

test('an empty or very short secret takes nothing out', () => {
  expect(hideSecrets('abc', ['', 'a'])).toBe('abc');
});
