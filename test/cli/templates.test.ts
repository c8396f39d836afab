import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hosted, newPlace } from './writ.js';

const { folder, run, json } = newPlace(hosted);

describe('writ workflow templates', () => {
  it('lists what ships with writ, without a data directory', async () => {
    const { code, stdout, stderr } = await run(['workflow', 'templates']);
    expect([code, stderr]).toEqual([0, '']);
    for (const id of ['claims-review', 'feature-build', 'incident-response', 'mvp-sprint']) {
      expect(stdout).toMatch(new RegExp(`^${id}  `, 'mu'));
    }
    const { value } = await json(['workflow', 'templates']);
    expect(value).toMatchObject({
      templates: [{ id: 'claims-review' }, { id: 'feature-build', name: 'Feature Build' }, {}, {}],
    });
  });

  it('prints one as YAML that is valid as it stands', async () => {
    const { code, stdout } = await run(['workflow', 'templates', 'incident-response']);
    expect(code).toBe(0);
    writeFileSync(join(folder, 'incident.yaml'), stdout);
    expect((await run(['validate', 'incident.yaml'])).stdout).toBe('incident.yaml: valid');
  });

  it('says which there are when there is no such one', async () => {
    const { code, stderr } = await run(['workflow', 'templates', 'feature-bild']);
    expect(code).toBe(2);
    expect(stderr).toContain('did you mean "feature-build"?');
  });
});

describe('writ validate', () => {
  it('points into a folded prompt, with the lines around it', async () => {
    const lines = [
      'id: w',
      'inputs: {type: object, properties: {goal: {type: string}}}',
      'steps:',
      '  - name: One',
      '    functionId: agent::chat',
      '    promptTemplate: >',
      '      Write about {{goal}},',
      '      and about {{gaol}}.',
    ];
    writeFileSync(join(folder, 'bad.yaml'), lines.join('\n'));
    const { code, stdout } = await run(['validate', 'bad.yaml']);
    expect(code).toBe(2);
    expect(stdout.split('\n').slice(0, 6)).toEqual([
      'bad.yaml:8:19: error DOC_UNKNOWN_NAME: template names "gaol", which nothing in the workflow gives',
      '  6 |     promptTemplate: >',
      '  7 |       Write about {{goal}},',
      '> 8 |       and about {{gaol}}.',
      '    |                   ^',
      '  at steps[0].promptTemplate',
    ]);
    expect(stdout).toContain('hint: did you mean "goal"?');
  });
});
