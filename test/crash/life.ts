// One life of a worker that says `effect` for each effect it has had: killed once there were so many, or left to its end.
import { spawn } from 'node:child_process';

/** Resolves with its last word; rejects when it complained, or ended with anything but 0 or the kill. */
export function live(worker: string, argv: readonly string[], effects: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split('effect\n').length > effects) child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (errors === '' && (code === 0 || signal === 'SIGKILL'))
        resolve(said.trim().split('\n').at(-1) ?? '');
      else reject(new Error(`the worker ended with ${code ?? signal}: ${errors}`));
    });
  });
}
