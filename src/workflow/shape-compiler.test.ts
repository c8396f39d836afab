import { describe, expect, it } from 'vitest';
import { boundErrors } from '../schema-errors.js';
import { validate } from './parse.js';
import { validatorOf } from './shape-compiler.js';

const PARTS = 20_000;
const wrong = {
  startAt: 'A',
  states: { A: { type: 'Parallel', branches: Array.from({ length: PARTS }, () => ({})), end: true } },
};

describe('HOLE: a document with very many faults', () => {
  it('is refused, and no more of its faults are held together than anybody is told of', () => {
    const check = validatorOf('states#/$defs/machine');
    expect(check(wrong)).toBe(false);
    const count = check.errors?.length ?? 0;
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(10_000);
  });

  it('is told of its first faults, and that there are more', () => {
    const { ok, diagnostics } = validate(JSON.stringify(wrong));
    expect(ok).toBe(false);
    expect(diagnostics.length).toBeLessThan(300);
    expect(diagnostics[0]?.message).toBe('"branches" has more than 1000 items');
  });

  it('is bounded in the code that was made for the bundle, too', () => {
    expect(boundErrors('vErrors=vErrors===null?a1.errors:vErrors.concat(w0.validate.errors);')).toBe(
      'vErrors=vErrors===null?a1.errors:(vErrors.length < 1000 ? vErrors.concat(w0.validate.errors) : vErrors);',
    );
  });
});
