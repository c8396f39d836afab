// Which fields of a step or state may have asked for what a ceiling's field refuses, the most telling first, in the names
// of both dialects. A finding points at the first that the document has, else at the step.
import type { Segments } from '../../workflow/located.js';

/** What is called, and so also what decides in which sandbox it runs when nothing else says so. */
const CALLED: readonly Segments[] = [['functionId'], ['agent'], ['resource']];

/** Where a field of the request stands. */
export function ofRequest(field: string): readonly Segments[] {
  return ['config', 'parameters', 'arguments'].map((one) => [one, field]);
}

/** `field` as a violation names it: `limits.timeoutMs`. */
export function fieldsAsking(field: string): readonly Segments[] {
  const [group = '', name = ''] = field.split('.');
  switch (group) {
    case 'limits':
      return [...limitFields(name), ['sandbox', 'limits', name]];
    case 'sandbox':
      return [['sandbox', 'driver'], ['sandbox'], ...CALLED];
    case 'mounts':
      return [['sandbox', 'mounts']];
    case 'functions':
    case 'agents':
      return CALLED;
    default:
      return [];
  }
}

function limitFields(name: string): readonly Segments[] {
  switch (name) {
    case 'timeoutMs':
      return [['timeoutMs'], ['timeoutSeconds']];
    case 'retries':
      return [['maxRetries'], ['retry']];
    case 'loopIterations':
      return [['maxIterations']];
    case 'fanoutWidth':
      return [['items']];
    default:
      return [];
  }
}
