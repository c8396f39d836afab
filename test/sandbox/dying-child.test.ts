// A process that waits for the death of a sandbox's child must live until it has seen it: an idle child keeps no process
// alive, a dying one does, whatever the child has said in between.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const CHILD = pathToFileURL(path.resolve('dist/adapters/sandbox/wasm/child-process.js')).href;
const READY = `{"t":"ready","uid":0,"filesDenied":true,"spawnDenied":true,"interfaces":0,"envNames":0}`;

/**
 * Boots a child that says it is ready, and is told to stop when that is in the pipe and nobody has read it. The child has
 * much memory, so that its end takes longer than a turn of the loop.
 */
const RUNNER = `
  import { existsSync } from 'node:fs';
  import { bootChild } from ${JSON.stringify(CHILD)};
  const [said] = process.argv.slice(1);
  const script = \`const fs = require('node:fs');
    globalThis.much = Buffer.alloc(400 * 1024 * 1024, 1);
    fs.writeSync(3, '${READY}\\\\n');
    fs.writeFileSync(process.argv[1], '');
    setInterval(() => undefined, 1000);\`;
  const stopping = new AbortController();
  const booting = bootChild({ command: process.execPath, args: ['-e', script, said], uid: null }, [], stopping.signal);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(said)) Atomics.wait(cell, 0, 0, 10);
  stopping.abort();
  const child = await booting.catch(() => null);
  await child?.gone;
  console.log('gone');
`;

it('a child that was told to stop before its first word was read is waited for', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-dying-'));
  try {
    const args = ['--input-type=module', '-e', RUNNER, path.join(home, 'said')];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'gone\n', stderr: '' });
  } finally {
    rmSync(home, { recursive: true });
  }
});
