import { describe, expect, it } from 'vitest';
import { templates } from './templates.js';
import { validate } from './workflow/parse.js';

describe('the templates that ship', () => {
  it('are four, by id', async () => {
    const all = await templates();
    expect(all.map(({ id }) => id)).toEqual([
      'claims-review',
      'feature-build',
      'incident-response',
      'mvp-sprint',
    ]);
    for (const { name, description } of all) {
      expect(name).not.toBe('');
      expect(description).toMatch(/\.$/);
    }
  });

  it('are valid; a loop that ends at one word is all that is told', async () => {
    for (const { id, text } of await templates()) {
      const { ok, diagnostics } = validate(text);
      expect(ok, id).toBe(true);
      const loops = id === 'feature-build' || id === 'mvp-sprint' ? ['DOC_UNTIL_WORD'] : [];
      expect(diagnostics.map(({ code }) => code)).toEqual(loops);
    }
  });
});
