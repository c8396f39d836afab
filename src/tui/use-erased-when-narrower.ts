// Rows that are longer than the terminal has become go on in the next row. Ink takes off as many rows as it has drawn, and
// would leave the upper ones where they are: they are erased before it does.
import { measureElement, useStdout, type DOMElement } from 'ink';
import { useEffect, useRef } from 'react';

/** Gives the `ref` of each row, by its place from above. A row is as wide as its text, and the cursor is below the last. */
export function useErasedWhenNarrower(): (at: number) => (row: DOMElement | null) => void {
  const { stdout } = useStdout();
  const rows = useRef(new Map<number, DOMElement>());
  useEffect(() => {
    let { columns } = stdout;
    const onResize = (): void => {
      if (stdout.columns < columns) {
        const widths = [...rows.current.values()].map((row) => measureElement(row).width);
        stdout.write(erased(widths, stdout.columns));
      }
      columns = stdout.columns;
    };
    // Before Ink, which draws anew at once.
    stdout.prependListener('resize', onResize);
    return () => {
      stdout.off('resize', onResize);
    };
  }, [stdout]);
  return (at) => (row) => {
    if (row === null) rows.current.delete(at);
    else rows.current.set(at, row);
  };
}

/** Up to where rows of these widths begin now, all below it empty, and the cursor where Ink has left it: under as many rows. */
function erased(widths: readonly number[], columns: number): string {
  const now = widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
  return now === widths.length ? '' : `\u001b[${now}A\u001b[J\u001b[${widths.length}B`;
}
