// The triage result as the later agents receive it: an object in a states flow, the text of one in a steps flow,
// where a tool's stdout stays text.
import { Json, Kind, tryParse } from './json';

/** null when there is no `triage`, or what stands there is no JSON object. */
export function triageOf(input: Json): Json | null {
  const found = input.get('triage');
  if (found === null) return null;
  const value = found.kind == Kind.Text ? tryParse(found.text) : found;
  return value !== null && value.kind == Kind.Object ? value : null;
}
