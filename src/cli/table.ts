// Plain tables: no frame, so that lines can be grepped and a screen reader reads cells only.
import { stripVTControlCharacters } from 'node:util';
import CliTable from 'cli-table3';
import { printable, type Colors } from './output.js';

const NOTHING = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A cell that already is printable and styled, e.g. a status word. */
export interface StyledCell {
  readonly styled: string;
}

type Rows = readonly (readonly (string | StyledCell)[])[];

export function renderTable(colors: Colors, head: readonly string[], rows: Rows): string {
  const table = new CliTable({
    head: head.map((text) => colors.dim(text)),
    chars: NOTHING,
    // cli-table3 colours heads and borders on its own unless told not to.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) {
    table.push(row.map((cell) => (typeof cell === 'string' ? printable(cell) : cell.styled)));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n');
}

/** The same in at most `columns`, as far as leaving out `lessImportant` columns, one after the other, gets it there. */
export function renderFitting(
  colors: Colors,
  head: readonly string[],
  rows: Rows,
  { columns, lessImportant }: { readonly columns: number; readonly lessImportant: readonly string[] },
): string {
  const table = renderTable(colors, head, rows);
  const [least, ...others] = lessImportant;
  if (least === undefined || widthOf(table) <= columns) return table;
  const without = <T>(cells: readonly T[]): T[] => cells.filter((_, at) => head[at] !== least);
  return renderFitting(colors, without(head), rows.map(without), { columns, lessImportant: others });
}

function widthOf(table: string): number {
  return Math.max(...table.split('\n').map((line) => stripVTControlCharacters(line).length));
}
