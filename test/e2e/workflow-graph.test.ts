// The picture of a workflow in a real browser: every text fits into what is drawn for it, and no name does anything.
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphOf, parseWorkflow, toSvg, type GraphOutcome } from '../../src/workflow/index.js';

const CHROMIUM = '/usr/bin/chromium';
const missing = existsSync(CHROMIUM) ? '' : ` (skipped: no ${CHROMIUM}, apt-get install chromium)`;

const HOSTILE = '</text><script>window.hacked=1</script><img src=x onerror="window.hacked=1">';

function svgOf(
  states: object,
  start: string,
  outcomes: ReadonlyMap<string, GraphOutcome> = new Map(),
): string {
  const text = JSON.stringify({ StartAt: start, States: states });
  const { plan, diagnostics } = parseWorkflow(text, { functions: 'any' });
  if (plan === null) throw new Error(JSON.stringify(diagnostics));
  return toSvg(graphOf(plan, outcomes));
}

const long = 'A state whose name is as long as a name may ever be, which is eighty characters x';
const STATES = {
  Short: { Type: 'Pass', Next: long.slice(0, 80) },
  [long.slice(0, 80)]: { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', Next: '承認を待つ' },
  承認を待つ: { Type: 'Wait', Seconds: 1, Next: 'Choose' },
  Choose: {
    Type: 'Choice',
    Choices: [{ Variable: '$.a', StringEquals: HOSTILE, Next: 'Each' }],
    Default: 'End',
  },
  Each: {
    Type: 'Map',
    ItemProcessor: { StartAt: 'In', States: { In: { Type: 'Pass', End: true } } },
    Next: HOSTILE.slice(0, 60),
  },
  [HOSTILE.slice(0, 60)]: { Type: 'Pass', Next: 'End' },
  End: { Type: 'Succeed' },
};

interface Seen {
  readonly shapes: readonly {
    readonly name: string;
    readonly fill: string | null;
    readonly spills: number;
  }[];
  readonly hacked?: number;
  readonly scripts: number;
  readonly images: number;
}

/** Runs in the page: each shape with its first text, its fill, and how many of its texts are wider than it. */
const LOOK = `(() => {
  const shapes = [...document.querySelectorAll('svg > g')].flatMap((group) => {
    const shape = group.querySelector('rect, polygon');
    if (shape === null) return [];
    const around = shape.getBoundingClientRect();
    const texts = [...group.querySelectorAll('text')];
    const spills = texts.filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < around.left - 2 || box.right > around.right + 2;
    });
    return [{ name: texts[0]?.textContent ?? '', fill: shape.getAttribute('fill'), spills: spills.length }];
  });
  return { shapes, hacked: window.hacked, scripts: document.scripts.length, images: document.images.length };
})()`;

describe.skipIf(missing !== '')(`the picture of a workflow${missing}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(() => browser.close());

  it('holds every text inside its shape, in the colour of its outcome, and runs nothing', async () => {
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const outcomes = new Map<string, GraphOutcome>([
      ['Short', 'completed'],
      ['End', 'failed'],
    ]);
    await page.setContent(svgOf(STATES, 'Short', outcomes));
    const seen = await page.evaluate<Seen>(LOOK);
    expect(seen.shapes.filter(({ spills }) => spills > 0)).toEqual([]);
    const fillOf = (name: string): string | null | undefined =>
      seen.shapes.find((one) => one.name === name)?.fill;
    expect([fillOf('Short'), fillOf('End'), fillOf('In')]).toEqual(['#dff5e1', '#ffe0de', '#f6f8fa']);
    expect([seen.hacked, seen.scripts, seen.images]).toEqual([undefined, 0, 0]);
    expect(asked).toEqual([]);
    await page.close();
  });
});
