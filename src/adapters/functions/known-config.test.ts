import { expect, it } from 'vitest';
import type { JsonObject } from '../../json.js';
import { KNOWN_CONFIG } from '../../workflow/functions.js';
import { parseWorkflow } from '../../workflow/index.js';
import { CHAT_REQUEST } from './agent-chat.js';
import { HAND_REQUEST } from './hand-run.js';
import { HTTP_REQUEST_SCHEMA } from './http/request.js';

/** What a collect step adds to every request by itself. */
const ADDED = ['fanoutResults', 'fanoutErrors'];

it.each([
  ['agent::chat', CHAT_REQUEST],
  ['hand::run', HAND_REQUEST],
  ['tool::http_request', HTTP_REQUEST_SCHEMA as unknown as JsonObject],
])('what a document may configure of %s is what its request has', (functionId, schema) => {
  const fields = Object.keys(schema['properties'] as JsonObject).filter((name) => !ADDED.includes(name));
  expect([...(KNOWN_CONFIG.get(functionId) ?? [])].sort()).toEqual(fields.sort());
});

it.each([
  ['agent::chat', 'promptTemplate: hello', 'modell', 'model'],
  ['hand::run', '', 'handid', 'handId'],
  ['tool::http_request', '', 'urll', 'url'],
  ['tool::wasm', '', 'argss', 'args'],
  ['wasm::execute', '', 'argss', 'args'],
  ['tool::health_check', '', 'servce', 'service'],
  ['health::check', '', 'servce', 'service'],
  ['security::check', '', 'subjct', 'subject'],
])('a misspelt field of the config of %s is found in the document', (functionId, prompt, written, meant) => {
  const text = `id: w\nagents: [a]\nsteps:\n  - name: S\n    functionId: ${functionId}\n    ${prompt}\n    config: { ${written}: x }\n`;
  const parsed = parseWorkflow(text);
  const errors = parsed.diagnostics.filter(({ severity }) => severity === 'error');
  expect(errors).toMatchObject([
    { code: 'DOC_UNKNOWN_FIELD', line: 7, hint: expect.stringContaining(`"${meant}"`) },
  ]);
});
