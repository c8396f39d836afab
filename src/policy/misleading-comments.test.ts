// HOLE: what a reviewer sees in a policy file is not what is read: a comment on whose line characters turn the direction, or
// end the line for the eye alone.
import { describe, expect, it } from 'vitest';
import { load, refusal, ROLES, RULES } from '../../test/policy/claims-policies.js';
import { checkAccess } from './index.js';

describe('a comment that looks like a rule, or a rule like a comment', () => {
  const deny =
    '- { id: R-9, effect: deny, subject: "role:any", domain: "*", action: "*", resource: "tool::pay" }';
  it.each(['\u202e', '\u2066', '\u2069', '\u2028', '\u2029', '\u0085'])(
    'is refused with its place and the character that makes it so: %#',
    async (character) => {
      const code = `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
      for (const [file, text] of [
        ['rbac/claims.yaml', `${RULES}# checked ${character}  ${deny}\n`],
        ['roles/bank.yaml', `# ${character}\n${ROLES}`],
      ] as const) {
        const { message } = await refusal({ [file]: text });
        expect(message).toContain(`${file}:${file.startsWith('roles') ? 1 : 6}:`);
        expect(message).toContain(code);
      }
    },
  );

  it('comments in any script, and with signs that join or shape letters, are read', async () => {
    for (const comment of [
      '\u05e2\u05d1\u05e8\u05d9\u05ea \u200f',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u2764\ufe0f',
      'na\u00efve',
    ]) {
      const snapshot = await load({ 'rbac/claims.yaml': `${RULES}# ${comment}\n` });
      const ask = {
        subject: 'user:alice',
        domain: 'bank',
        action: 'function.invoke',
        resource: 'tool::wasm',
      };
      expect(checkAccess(snapshot, ask).allowed).toBe(true);
    }
  });
});
