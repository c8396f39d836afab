// The evidence page in a real browser, opened from the disk: it asks nothing of any network, says what it is not until
// a key is given, refuses whatever was changed, and shows what a log holds as text that can do nothing.
import { execa } from 'execa';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidencePage } from '../../src/audit/evidence/page-file.js';
import { bundleOf, evidenceLog, RUN, type BundleChange, type Story } from '../audit/evidence-fixture.js';
import { testSigner } from '../audit/log-fixture.js';

const CHROMIUM = '/usr/bin/chromium';
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const missing = existsSync(CHROMIUM) ? '' : ` (skipped: no ${CHROMIUM}, apt-get install chromium)`;

/** What a log may hold when somebody wants the page to do something. */
const HOSTILE =
  '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1"><a href="javascript:window.hacked=1">' +
  '\u202eevorppa\u202c\u0007 \u200bzero {{constructor.constructor("window.hacked=1")()}}';

describe.skipIf(missing !== '')(`the evidence page${missing}`, () => {
  let browser: Browser;
  let folder: string;
  const log = evidenceLog();

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'writ-page-'));
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const built = (name: string): string =>
    readFileSync(path.join(root, 'dist', 'evidence-page', name), 'utf8');

  async function pageBytes(change: BundleChange = {}, story?: Story): Promise<Uint8Array> {
    const source = story === undefined ? await log : await evidenceLog(story);
    return evidencePage(bundleOf(source, change), { script: built('page.js'), style: built('page.css') });
  }

  let count = 0;
  function written(bytes: Uint8Array): string {
    const file = path.join(folder, `${(count += 1)}.html`);
    writeFileSync(file, bytes);
    return pathToFileURL(file).href;
  }

  /** Opens a page file and gives what the browser asked for meanwhile, over the wire or not. */
  async function open(bytes: Uint8Array, hash = ''): Promise<{ page: Page; asked: string[] }> {
    const page = await browser.newPage();
    const asked: string[] = [];
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.requestWillBeSent', ({ request }) => asked.push(request.url));
    await page.goto(`${written(bytes)}${hash}`);
    return { page, asked };
  }

  const verdict = (page: Page): Promise<string> => page.locator('#verdict').innerText();
  const pinned = async (): Promise<string> => `#vkey=${encodeURIComponent((await log).vkey)}`;

  it('opens from the disk, asks for nothing but itself, and says unpinned in words', async () => {
    const { page, asked } = await open(await pageBytes({ first: true }));
    expect(await verdict(page)).toMatch(/Unpinned[^]*nobody has said yet whose log this is/);
    await page.getByText('Entry as logged').first().click();
    expect(asked).toEqual([page.url()]);
    await page.close();
  });

  it('is verified once the key is typed in, with the keyboard alone', async () => {
    const { page, asked } = await open(await pageBytes());
    await page.keyboard.press('Tab');
    await page.keyboard.insertText((await log).vkey);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await verdict(page)).toMatch(/Verified[^]*Pinned: log\.example\/test\+[0-9a-f]{8} \(typed in\)/);
    expect(await page.locator('.timeline li').count()).toBeGreaterThanOrEqual(18);
    expect(await page.locator('#approvals + *, section').allInnerTexts()).not.toEqual([]);
    expect(asked).toHaveLength(1);
    await page.getByRole('button', { name: 'Forget the key' }).click();
    expect(await verdict(page)).toContain('Unpinned');
    await page.close();
  });

  it('shows who answered a form and that the signature holds', async () => {
    const source = await evidenceLog({ form: { signature: null } });
    const { page } = await open(
      await pageBytes({}, { form: { signature: null } }),
      `#vkey=${encodeURIComponent(source.vkey)}`,
    );
    expect(await verdict(page)).toContain('Verified');
    const tasks = await page.locator('section', { hasText: 'Who answered what' }).innerText();
    for (const words of ['user:bob', 'holds under this key', 'role:reviewer, not who started the run'])
      expect(tasks).toContain(words);
    await page.close();
  });

  it('takes the key from a file, a policy and its own address', async () => {
    const { vkey } = await log;
    const file = path.join(folder, 'log.policy');
    writeFileSync(file, `log ${vkey}\nquorum none\n`);
    const { page } = await open(await pageBytes());
    await page.setInputFiles('#pin-file', file);
    await page.locator('.verdict.verified').waitFor();
    expect(await verdict(page)).toContain('from the file log.policy');
    await page.close();
    const { page: second } = await open(await pageBytes(), await pinned());
    expect(await verdict(second)).toMatch(/Verified[^]*from this page's address/);
    await second.close();
  });

  it('takes the key from its address as it is printed, where a plus is a plus', async () => {
    const { vkey } = await log;
    expect(vkey).toContain('+');
    const { page } = await open(await pageBytes(), `#vkey=${vkey}`);
    expect(await verdict(page)).toMatch(/Verified[^]*from this page's address/);
    await page.close();
  });

  it('calls what an approval was asked for just that, whatever was decided, and keeps a command whole', async () => {
    const { page } = await open(await pageBytes(), await pinned());
    expect(await page.locator('#content').innerText()).not.toContain('exactly what was approved');
    expect(await page.locator('#content').innerText()).toContain('Digest of exactly what was asked for');
    const style = "getComputedStyle(document.querySelector('code.command')).whiteSpace";
    expect(await page.evaluate(style)).toBe('nowrap');
    await page.close();
  });

  it('shows who approved what, with the signature checked, the rules, and what was erased or withheld', async () => {
    const { page } = await open(await pageBytes({ payloads: 'none' }), await pinned());
    const text = await page.locator('#content').innerText();
    expect(text).toMatch(/HumanReview, attempt 1/);
    expect(text).toMatch(/user:bob[^]*approve[^]*holds under this key/);
    expect(text).toMatch(/CL-010[^]*user:alice → role:adjuster/);
    expect(text).toMatch(/erased by entry 21/);
    expect(text).toMatch(/withheld/);
    await page.close();
  });

  it('refuses the evidence under another key, and folds away what it claims', async () => {
    for (const other of [testSigner('log.example/test', 8), testSigner('log.example/other')]) {
      const { page } = await open(await pageBytes(), `#vkey=${encodeURIComponent(other.vkey)}`);
      expect(await verdict(page)).toMatch(/Refused bad-signature/);
      expect(await page.getByText('none of it is proven').isVisible()).toBe(true);
      expect(await page.locator('#timeline').isVisible()).toBe(false);
      await page.close();
    }
  });

  it('says what is wrong with a text that is no key, and stays unpinned', async () => {
    const { page } = await open(await pageBytes());
    for (const [text, says] of [
      ['', 'there is no key in this'],
      ['log.example/test', 'invalid vkey'],
      ['quorum none', 'names no log'],
    ] as const) {
      await page.fill('#pin', text);
      await page.click('#pin-check');
      expect(await page.locator('#pin-problem').innerText()).toContain(says);
      expect(await verdict(page)).toContain('Unpinned');
    }
    await page.close();
  });

  it('says what is wrong with a key in its address, and with a file that can not be read', async () => {
    for (const [text, says] of [
      ['no-key', 'vkey'],
      ['%zz', 'vkey'],
      ['', 'there is no key in this'],
    ] as const) {
      const { page } = await open(await pageBytes(), `#vkey=${text}`);
      expect(await page.locator('#pin-problem').innerText()).toContain(says);
      expect(await verdict(page)).toContain('Unpinned');
      await page.close();
    }
    const { page } = await open(await pageBytes());
    await page.evaluate(
      "File.prototype.text = () => Promise.reject(new DOMException('gone', 'NotReadableError'))",
    );
    await page.setInputFiles('#pin-file', {
      name: 'log.vkey',
      mimeType: 'text/plain',
      buffer: Buffer.from('x'),
    });
    await page.getByText('the file log.vkey can not be read').waitFor();
    expect(await verdict(page)).toContain('Unpinned');
    await page.close();
  });

  it('refuses the evidence after any byte of it was changed', async () => {
    const bytes = await pageBytes({ first: true, custodian: 'Maria Ruiz' });
    const text = new TextDecoder().decode(bytes);
    const mark = 'id="evidence">';
    const first = text.indexOf(mark) + mark.length;
    const end = text.indexOf('</script>', first);
    const page = await browser.newPage();
    const key = await pinned();
    const step = Math.ceil((end - first) / 70);
    for (let at = first; at < end; at += step) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7));
      await page.goto(`${written(changed)}${key}`);
      expect(await verdict(page), `byte ${at}`).toMatch(/^✕ Refused|^Not checked/);
    }
    await page.close();
  });

  it('does not run at all after its script was changed, and says that nothing was checked', async () => {
    const text = new TextDecoder().decode(await pageBytes());
    const script = built('page.js');
    for (const at of [10, 5_000, script.length - 10]) {
      const changed = `${script.slice(0, at)} ${script.slice(at)}`;
      const { page } = await open(
        new TextEncoder().encode(text.replace(script, () => changed)),
        await pinned(),
      );
      expect(await verdict(page)).toMatch(/^Not checked[^]*Nothing here was checked/);
      await page.close();
    }
  });

  it('refuses a page with a second bundle', async () => {
    const text = new TextDecoder().decode(await pageBytes());
    const more = text.replace('<script>', '<script type="application/json" id="other">{}</script><script>');
    const { page } = await open(new TextEncoder().encode(more), await pinned());
    expect(await verdict(page)).toContain('Not checked');
    await page.close();
  });

  it('shows hostile text as text: it runs nothing, fetches nothing and hides nothing', async () => {
    const hostile = await evidenceLog({ hostile: HOSTILE });
    const { page, asked } = await open(
      await pageBytes({}, { hostile: HOSTILE }),
      `#vkey=${encodeURIComponent(hostile.vkey)}`,
    );
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    expect(await verdict(page)).toContain('Verified');
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    await page.getByText('zero').first().waitFor();
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('#page img, #page a, #page script').count()).toBe(0);
    const shown = await page.locator('#content').innerText();
    expect(shown).toContain('<img src=x onerror=');
    expect(shown).toContain('\\u202eevorppa\\u202c\\u0007 \\u200bzero');
    expect(shown).not.toMatch(/[\u202a-\u202e\u200b\u0007]/);
    expect([asked.length, messages]).toEqual([1, []]);
    await page.close();
  });

  it('fits a width of 360 pixels, and names every section for a screen reader', async () => {
    const { page } = await open(
      await pageBytes({ first: true }, { hostile: `${'x'.repeat(400)} ${HOSTILE}` }),
    );
    await page.setViewportSize({ width: 360, height: 700 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const unnamed = await page
      .locator(
        'section:not([aria-labelledby]):not([role=status]), table:not(:has(caption)), input:not([aria-label])',
      )
      .count();
    expect(unnamed).toBe(0);
    expect(await page.getByRole('status').first().innerText()).toContain('Unpinned');
    await page.close();
  });

  it('verifies a run of 1,000 entries and lets its reader pick among them', async () => {
    const home = path.join(folder, 'bench');
    const script = path.join(root, 'test', 'bench', 'evidence.mjs');
    const { stdout } = await execa(process.execPath, [script, home]);
    const made = JSON.parse(stdout) as { html: string; vkey: string; entries: number };
    const page = await browser.newPage();
    await page.goto(`${pathToFileURL(made.html).href}#vkey=${encodeURIComponent(made.vkey)}`);
    expect(await verdict(page)).toMatch(/Verified[^]*All 1000 entries/);
    expect(await page.locator('section:has(#timeline) .timeline > li').count()).toBe(made.entries);
    await page.selectOption('#filter', 'approval.decided');
    const picked = await page.locator('section:has(#timeline) .timeline > li').count();
    expect(picked).toBeGreaterThan(10);
    expect(picked).toBeLessThan(100);
    await page.close();
  });

  it('names the run it is about', async () => {
    const { page } = await open(await pageBytes());
    expect(await page.title()).toBe(`Evidence of run ${RUN}`);
    await page.close();
  });
});
