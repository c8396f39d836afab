// A command that fails, and whose log or store then can't be left in order: nothing of the first is lost.
import { mkdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOB, type Desk, FLOW, LOW, newDesk } from './claims-desk.js';
import { hosted } from './writ.js';

describe('a command that fails where the log can not be published', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await newDesk(hosted);
    // No file can be made of this name any more.
    rmSync(desk.at('.writ', 'locks', 'publish.lock'), { force: true });
    mkdirSync(desk.at('.writ', 'locks', 'publish.lock'));
  });
  afterAll(() => {
    desk.remove();
  });

  it('says that it was refused and that the log is behind, with the exit code of the log: no defect of writ', async () => {
    const { code, stderr, stdout } = await desk.run(['run', FLOW, '--input', LOW], BOB);
    expect([code, stdout]).toEqual([6, '']);
    expect(stderr).toContain(
      'no rule allows user:bob workflow.run claims-review-flow in default; and after it: ',
    );
    expect(stderr).toContain('publish.lock');
    expect(stderr).not.toContain('defect of writ');
  });

  it('tells both as one error with --json', async () => {
    const { code, value } = await desk.json(['run', FLOW, '--input', LOW], BOB);
    expect([code, value]).toEqual([
      6,
      {
        error: expect.objectContaining({
          code: 'STORE_UNAVAILABLE',
          message: expect.stringMatching(/bob.*publish/su),
        }),
      },
    ]);
  });
});
