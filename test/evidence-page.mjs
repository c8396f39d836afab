// Bundles the evidence page: src/evidence-page and what it imports of the pure rooms become one classic script that
// runs in a browser, dist/evidence-page/page.js, and its style sheet beside it. setup.mjs calls it after tsc; it can
// also be run by itself after a change: node test/evidence-page.mjs
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(root, 'dist', 'evidence-page');

const bundle = await rolldown({
  input: path.join(root, 'src', 'evidence-page', 'main.ts'),
  cwd: root,
  platform: 'browser',
  tsconfig: path.join(root, 'src', 'evidence-page', 'tsconfig.json'),
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  // Something that needs Node, or is not found, must not become an empty module.
  onLog(level, log) {
    if (level === 'warn') throw new Error(`the evidence page can't be bundled: ${log.message}`);
  },
});
const { output } = await bundle.generate({ format: 'iife', minify: true, comments: false });
await bundle.close();
const [script, ...more] = output;
if (more.length > 0) throw new Error('the evidence page must be one script');

// From nothing: what tsc or an earlier build left there is no part of the page.
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
const style = fs.readFileSync(path.join(root, 'src', 'evidence-page', 'page.css'), 'utf8');
fs.writeFileSync(
  path.join(out, 'page.css'),
  style
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/\n\s*/g, '\n')
    .trim(),
);
// The page is handed out with code of others in it: their licence goes with it.
const licence = fs
  .readFileSync(path.join(root, 'node_modules', '@noble', 'hashes', 'LICENSE'), 'utf8')
  .trim();
const head = `/* The verifier of writ, with @noble/hashes and @noble/curves:\n${licence}\n*/\n`;
fs.writeFileSync(path.join(out, 'page.js'), `${head}${script.code.trim()}`);
