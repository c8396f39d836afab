// Loaded before the command under test: on exit it tells the peak memory of the process, in KiB, on descriptor 3. Of its
// own memory: what `resourceUsage` says is never less than what the process that started it had.
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

function peakKiB() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
}

if (isMainThread) process.on('exit', () => writeSync(3, `${peakKiB()}`));
