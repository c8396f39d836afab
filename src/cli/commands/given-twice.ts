// An option with one value, given twice: the second would take the place of the first without a word.
import type { Command, Option } from 'commander';
import { WritError } from '../../errors.js';
import { collectAgent, collectText } from './options.js';

/** To give an option of these commands again is USAGE, but one that collects values, or that takes none. */
export function refuseSecondValues(command: Command): void {
  for (const option of command.options.filter(takesOneValue)) {
    let isGiven = false;
    // Of the command line: a value from the environment comes as another event.
    command.on(`option:${option.name()}`, () => {
      if (isGiven) {
        throw new WritError('USAGE', `option '${option.flags}' is given twice`, {
          hint: 'it takes one value: leave one of them out',
        });
      }
      isGiven = true;
    });
  }
  for (const one of command.commands) refuseSecondValues(one);
}

function takesOneValue({ required, optional, parseArg }: Option): boolean {
  return (required || optional) && parseArg !== collectText && parseArg !== collectAgent;
}
