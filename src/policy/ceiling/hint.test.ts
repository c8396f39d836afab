import { describe, expect, it } from 'vitest';
import { UNKNOWN_AMOUNT } from './budget.js';
import { ceilingHint } from './hint.js';

const hint = (field: string, requested = 'x', limit = 'y') =>
  ceilingHint({ field, code: 'CEILING_LIMITS', limit, requested });

describe('what to do about a ceiling that says no', () => {
  it.each([
    ['limits.timeoutMs', 'stay under limits.timeoutMs, or have the owner of the ceiling raise it'],
    ['functions.allow', 'ask for what functions.allow lets through'],
    ['sandbox.allowed', 'ask for what sandbox.allowed lets through'],
    ['data.labelsAllowed', 'ask for what data.labelsAllowed lets through'],
    ['functions.deny', 'take it out of functions.deny'],
    ['validity.notBefore', 'wait until then'],
    ['validity.notAfter', 'nothing runs under it any more'],
    ['agents.requireDigest', 'by its digest'],
  ])('fits %s', (field, words) => {
    expect(hint(field)).toContain(words);
  });

  it('names the signer who is missing, the ceiling that is known, and what makes a cost known', () => {
    expect(hint('agents.requireSigners', 'none', 'cosign:bank')).toContain('have cosign:bank sign');
    expect(hint('sandbox.allowed', 'no sandbox')).toContain('add "none" to sandbox.allowed');
    expect(hint('budget.usd', UNKNOWN_AMOUNT)).toContain('prices of the model');
    const violation = { field: 'limits.pids', code: 'CEILING_LIMITS', limit: '1', requested: '2' } as const;
    expect(ceilingHint(violation, 'org-prod')).toContain('have the owner of org-prod raise it');
  });

  it('sends who wrote a step to the step itself, which nobody else owns', () => {
    const own = (field: string, requested: string) =>
      ceilingHint({ field, code: 'CEILING_SANDBOX', limit: 'wasm', requested }, undefined, 'step');
    expect(own('sandbox.allowed', 'no sandbox')).toBe(
      'take sandbox out of the step, or call what runs in wasm: this runs outside every sandbox',
    );
    expect(own('limits.timeoutMs', '9')).toBe('the step itself says so: change its limits.timeoutMs');
  });
});
