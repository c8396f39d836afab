// What `npm test` checks before the tests: the commands of `npm run lint` and `npm run typecheck`, side by side, for they
// use one processor each: the first takes about as long as all others together. All are carried out, what one says stays
// together, and one that fails makes it all fail.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const [longest, ...others] = [scripts.lint, scripts.typecheck].flatMap((script) => script.split(' && '));

const commands = path.join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${commands}${path.delimiter}${process.env.PATH}` };

/** True when it went well. */
function carryOut(command) {
  return new Promise((resolve) => {
    const child = spawn(command, { cwd: root, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => said.push(bytes));
    child.on('close', (code, signal) => {
      process.stdout.write(Buffer.concat(said));
      if (code !== 0) process.stdout.write(`check: ${command}: failed (${signal ?? code})\n`);
      resolve(code === 0);
    });
  });
}

async function inOrder(line) {
  let isWell = true;
  for (const command of line) isWell = (await carryOut(command)) && isWell;
  return isWell;
}

const went = await Promise.all([[longest], others].map(inOrder));
if (went.includes(false)) process.exitCode = 1;
