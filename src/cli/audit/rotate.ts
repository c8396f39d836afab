// `writ audit rotate-key` and `writ audit vkey --all`: the log's own key, which is no person's.
import { whoActs, withPublishedWrit, withWrit, type Context } from '../context.js';
import { printable } from '../output.js';

/** Exit 0 once everything says the new key; 3 without the right `audit.rotate_key`. */
export async function rotateKey(context: Context): Promise<number> {
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const { index, oldVkey, newVkey } = await writ.rotateLogKey(await whoActs(context, writ));
    if (output.json) {
      output.value({ vkey: newVkey, former: oldVkey, entry: index });
      return 0;
    }
    output.line(`new vkey   ${printable(newVkey)}`);
    output.line(`former     ${printable(oldVkey)}, replaced by entry ${index}`);
    output.line();
    output.line(
      'give the new vkey to everybody who has the former one, yourself: the log can not introduce its own key.',
    );
    output.line(
      'the former private key was deleted; a disk may keep deleted bytes, so keep treating it as a secret.',
    );
    output.line('witnesses and witnesses.policy name the log by its vkey: change it there too.');
    return 0;
  });
}

/** The log's vkey and those it had before, newest first. */
export async function printVkeys(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const changes = (await writ.keyChanges()).toReversed();
    const former = changes.map(({ oldVkey, index, time }) => ({ vkey: oldVkey, entry: index, time }));
    if (output.json) {
      output.value({ vkey: writ.vkey(), former });
      return 0;
    }
    output.line(printable(writ.vkey()));
    for (const { vkey, entry, time } of former) {
      output.line(`${printable(vkey)}  replaced by entry ${entry}, ${printable(time)}`);
    }
    return 0;
  });
}
