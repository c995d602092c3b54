import { expect, test } from 'vitest';
import { secretVariables } from './secret-variables.ts';

const nothing = { git: { credentials: {} }, forges: {}, notify: {} };

test('steps get the secrets of git alone, and never the token of whoever called a command', () => {
  const forge = { api: 'https://api.example.com', token: { env: 'FORGE' } };
  const git = { credentials: { host: { username: 'bot', password: { env: 'TRIBUTARY_GIT' } } } };
  expect(secretVariables(nothing).serviceAlone).toEqual(['TRIBUTARY_TOKEN']);
  expect(secretVariables({ ...nothing, git, forges: { host: forge } })).toEqual({
    steps: ['TRIBUTARY_GIT'],
    serviceAlone: ['TRIBUTARY_TOKEN', 'FORGE'],
  });
});
