// How many errors the code that ajv makes may hold together: documents come from outside, and one with very many faults
// must cost no more than one with many.

/** From here on the errors of parts are not added to those of the whole: it is no less wrong for that. */
const MAX_ERRORS = 1_000;

/**
 * The code that ajv makes copies all errors so far for each part that has some, which for a hostile document takes the
 * square of their number. Bounded, a document with more is still refused, and told of as many as anybody is shown.
 */
export function boundErrors(code: string): string {
  return code.replace(
    /vErrors\.concat\(([\w.]+\.errors)\)/g,
    `(vErrors.length < ${MAX_ERRORS} ? vErrors.concat($1) : vErrors)`,
  );
}
