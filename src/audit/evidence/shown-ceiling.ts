// Under which ceilings a step was judged: every layer, whether it held, and what was in force.
import { isObject, type Json } from '../../json.js';
import { countOf, listOf, shown, textOf } from './shown-value.js';
import type { ShownEntry } from './report.js';

export interface ShownCeiling {
  readonly index: string;
  readonly step: string;
  readonly attempt: number | null;
  readonly hash: string;
  readonly layers: readonly {
    readonly layer: string;
    readonly name: string;
    readonly hash: string | null;
    readonly ok: boolean;
  }[];
  readonly effective: Json;
}

export function ceilingOf({ index, entry: { data } }: ShownEntry): ShownCeiling {
  return {
    index: index.toString(),
    step: shown(data.stepPath),
    attempt: countOf(data.attempt),
    hash: shown(data.ceilingHash),
    layers: layersOf(data.layers),
    effective: data.effective ?? null,
  };
}

export function layersOf(layers: Json | undefined): ShownCeiling['layers'] {
  return listOf(layers).flatMap((layer) =>
    isObject(layer)
      ? [
          {
            layer: shown(layer.layer),
            name: textOf(layer.name) ?? '',
            hash: textOf(layer.hash),
            ok: layer.ok === true,
          },
        ]
      : [],
  );
}
