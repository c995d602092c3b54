import { expect, test } from 'vitest';
import { jsonProblem } from './json-problem.ts';

test.for<[json: string, problem: string | undefined]>([
  ['{"a": 1, "b": 2, "a": 3}', 'has the key "a" twice in one object'],
  ['{"x": [{"a": 1}, {"a": {"\\u0062": 1, "b" : 2}}]}', 'has the key "b" twice in one object'],
  ['{"__proto__": 1, "__proto__": 2}', 'has the key "__proto__" twice in one object'],
  ['{"a": {"a": "a"}, "b": [{"a": 1}, {"a": 2}]}', undefined],
  ['{"a": "\\"a\\": {[", "b": "\\\\"}', undefined],
  ['["a", "a"]', undefined],
  ['"a"', undefined],
  ['["\\ud83d\\ude00"]', undefined],
  ['["x\\ud800"]', 'holds half a character: "x\ufffd"'],
  ['{"\\udc00": 1}', 'holds half a character: "\ufffd"'],
  [`${'['.repeat(100)}${']'.repeat(100)}`, undefined],
  ['[{},'.repeat(99), undefined],
  [`${'{"a":['.repeat(51)}${']}'.repeat(51)}`, 'is nested more than 100 levels deep'],
])('%s: %s', ([json, problem]) => {
  expect(jsonProblem(json)).toBe(problem);
});
