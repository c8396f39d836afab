// Loaded before the command under test: on exit it tells the peak memory of the process, in KiB, on descriptor 3.
import { writeSync } from 'node:fs';

process.on('exit', () => writeSync(3, `${process.resourceUsage().maxRSS}`));
