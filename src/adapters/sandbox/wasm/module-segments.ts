// What fills a module's tables and memory before `_start`. Segments that lie outside of them, and tables that are too
// large, stop a module there, and the engine tells no more of that than an exit code, which a guest may also choose: so
// they are refused from their bytes. Read as far as places are plain numbers; where one is not, that is told.
import { invalid, type Reader } from './module-reader.js';

/** What the engine can make. */
const MAX_TABLE_ENTRIES = 10_000_000;
const FUNCTION_REFERENCE = 0x70;
const OUTER_REFERENCE = 0x6f;
const FUNCTION_KIND = 0;
/** Opcodes of an element's own expression. */
const REF_NULL = 0xd0;
const REF_FUNC = 0xd2;
const END = 0x0b;

/** With how many entries each table starts; null = a table is not written in the plain form. */
export function readTables(section: Reader): readonly number[] | null {
  const tables: number[] = [];
  for (let left = section.u32(); left > 0; left -= 1) {
    const kind = section.byte();
    const flags = section.byte();
    if ((kind !== FUNCTION_REFERENCE && kind !== OUTER_REFERENCE) || flags > 1) return null;
    const initial = section.u32();
    if (flags === 1) section.u32();
    if (initial > MAX_TABLE_ENTRIES)
      throw invalid(`it starts with a table of ${initial} entries, at most ${MAX_TABLE_ENTRIES} can be made`);
    tables.push(initial);
  }
  return tables;
}

/** Whether all of it could be read. Throws SANDBOX_MODULE_INVALID for data outside of the memory. */
export function checkData(section: Reader, memoryBytes: number): boolean {
  const count = section.u32();
  for (let i = 0; i < count; i += 1) {
    const flags = section.u32();
    if (flags > 2) return false;
    if (flags === 2) section.u32();
    const at = flags === 1 ? 0 : section.constant();
    if (at === null) return false;
    const { length } = section.slice(section.u32());
    if (flags !== 1 && at + length > memoryBytes)
      throw invalid(`its data segment ${i} lies outside of the memory it starts with`);
  }
  return true;
}

/** Whether all of it could be read. Throws SANDBOX_MODULE_INVALID for elements outside of their table. */
export function checkElements(section: Reader, tables: readonly number[] | null): boolean {
  if (tables === null) return false;
  const count = section.u32();
  for (let i = 0; i < count; i += 1) {
    // Three bits: not put anywhere by itself; with a table's number, or only declared; of expressions.
    const flags = section.u32();
    if (flags > 7) return false;
    const isActive = (flags & 1) === 0;
    const isNumbered = (flags & 2) !== 0;
    const hasExpressions = (flags & 4) !== 0;
    const table = isActive && isNumbered ? section.u32() : 0;
    const at = isActive ? section.constant() : 0;
    if (at === null) return false;
    if ((!isActive || isNumbered) && !isKnownKind(section.byte(), hasExpressions)) return false;
    const length = section.u32();
    for (let left = length; left > 0; left -= 1) {
      if (!hasExpressions) section.u32();
      else if (!skipReference(section)) return false;
    }
    if (isActive && at + length > (tables[table] ?? 0))
      throw invalid(`its element segment ${i} lies outside of the table it fills`);
  }
  return true;
}

function isKnownKind(kind: number, hasExpressions: boolean): boolean {
  return hasExpressions ? kind === FUNCTION_REFERENCE || kind === OUTER_REFERENCE : kind === FUNCTION_KIND;
}

/** Past `ref.null t, end` or `ref.func i, end`; false for another expression. */
function skipReference(section: Reader): boolean {
  const opcode = section.byte();
  if (opcode === REF_NULL) section.byte();
  else if (opcode === REF_FUNC) section.u32();
  else return false;
  return section.byte() === END;
}
