// A second process for the contract of locks: takes one, says so, and keeps it until it is ended.
// Runs against the built product. argv: directory, name.
import process from 'node:process';
import { openLocks } from '../../dist/adapters/store/locks.js';

const [directory, name] = process.argv.slice(2);
const lock = openLocks(directory).tryHold(name);
process.stdout.write(lock === null ? 'busy\n' : 'held\n');
setInterval(() => lock?.name, 1_000);
