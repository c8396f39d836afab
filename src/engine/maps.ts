// A Map of dialect 2: where its items come from, what each child is given, and how many may fail.
import { WritError } from '../errors.js';
import { fillPayload } from '../expression/template/payload-template.js';
import type { Json, JsonObject } from '../json.js';
import type { Each, ForkNode } from '../workflow/plan.js';
import { given, type Values } from './amount.js';
import { withinLimits } from './data-limit.js';
import { stepError } from './fault.js';
import { batchesOf, isIntolerable, itemLimit, itemsFrom, mapState } from './map-items.js';
import { eachOf, hasQuery } from './stage.js';
import type { Frame, Stage, StepError } from './state.js';
import type { Walk } from './walk.js';

export class Maps {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  items(node: ForkNode, frame: Frame, values: Values, source: Json): Frame | null {
    const each = eachOf(node);
    if (each === null) throw new WritError('INTERNAL', `"${node.name}" is no Map`);
    const { list, keys } = itemsFrom(each, source);
    const limit = each.items.kind === 'reader' ? itemLimit(each.items.reader, values) : null;
    const items = limit === null ? list : list.slice(0, limit);
    this.#walk.trace?.('afterItemsPath', items);
    if (each.distributed?.batcher == null || each.selector === undefined) {
      return this.#openMap(node, each, frame, { values, items, keys });
    }
    if (node.flow?.language === 'jsonata' && hasQuery(each.selector)) {
      return this.#selectNext(node, each, frame, { values, items, keys, selected: [] });
    }
    const { selector } = each;
    const selected = items.map((value, item) => {
      const seen = { ...frame, parent: frame.id, item, value, itemKey: keys?.[item] ?? null, call: null };
      return node.flow?.language === 'jsonata'
        ? selector
        : fillPayload(selector, this.#walk.data.sources(seen, given(values, 'Arguments', frame.data)));
    });
    return this.#openMap(node, each, frame, { values, items: selected, keys });
  }

  /** JSONata: items that go into batches are selected one after the other. */
  #selectNext(node: ForkNode, each: Each, frame: Frame, held: Selection): Frame | null {
    const { values, items, keys, selected } = held;
    if (selected.length === items.length)
      return this.#openMap(node, each, frame, { values, items: selected, keys });
    return this.#walk.data.inquire(frame, 'query', {
      name: 'select',
      index: selected.length,
      held: { ...held },
    });
  }

  selected(node: ForkNode, frame: Frame, stage: Stage, values: Values): Frame | null {
    const each = eachOf(node);
    const held = stage.held as unknown as Selection; // our own, stored with the question
    if (each === null) throw new WritError('INTERNAL', `"${node.name}" is no Map`);
    const selected = [...held.selected, values['ItemSelector'] ?? null];
    return this.#selectNext(node, each, frame, { ...held, selected });
  }

  #openMap(node: ForkNode, each: Each, frame: Frame, { values, items, keys }: MapItems): Frame | null {
    const map = mapState(each, values, keys);
    this.#walk.trace?.('maxConcurrency', map.concurrency);
    if (map.toleratedCount !== null) this.#walk.trace?.('toleratedFailureCount', map.toleratedCount);
    if (map.toleratedPercentage !== null)
      this.#walk.trace?.('toleratedFailurePercentage', map.toleratedPercentage);
    const input = given(values, 'Arguments', frame.data);
    return this.#walk.forks.open(node, frame, { input, items: [batchesOf(each, values, items)], map });
  }

  /** A child's own item goes through the Map's selector, where the Map's data is in sight. */
  selectItem(child: Frame): Frame | null {
    const node = this.#walk.forks.forkOf(child);
    const each = node === undefined ? null : eachOf(node);
    const around = this.#walk.tree.frame(child.parent ?? '');
    if (node?.kind !== 'fork' || around?.fork == null || each?.selector === undefined)
      return { ...child, selects: false };
    this.#walk.spend();
    const { selector } = each;
    const { input } = around.fork;
    return this.#walk.failures.tried(node, child, { name: 'item', index: null }, () => {
      if (node.flow?.language === 'jsonata')
        return this.#walk.data.stage(node, child, { name: 'item', index: null });
      const { enteredAtMs, variables } = around;
      // From the Map, as `subjectOf` of request.ts has it: the selector of a distributed one sees its variables.
      const seesOuter = child.seesOuter || around.seesOuter;
      const seen = { ...child, node: around.node, enteredAtMs, variables, seesOuter };
      const data = withinLimits(fillPayload(selector, this.#walk.data.sources(seen, input)));
      this.#walk.trace?.('afterItemSelector', data);
      return { ...child, selects: false, data };
    });
  }

  /** A distributed Map goes on without an item that failed, up to its bound. A refusal is never tolerated. */
  isTolerated(parent: Frame, child: Frame, error: StepError): boolean {
    const node = this.#walk.plan.nodes[parent.node];
    const { fork } = parent;
    const each = node === undefined ? null : eachOf(node);
    if (node?.kind !== 'fork' || fork?.map == null || each?.distributed == null) return false;
    if (error.kind !== 'failure' || fork.failing !== null || parent.isStopping) return false;
    const failed = { ...fork.map, failed: fork.map.failed + 1 };
    const total = this.#walk.tree.lanes(parent.id)[0]?.items?.length ?? 0;
    const around = { ...parent, fork: { ...fork, map: failed } };
    if (isIntolerable(failed, total)) {
      const threshold = new WritError(
        'STEP_TOLERANCE',
        'The specified tolerated failure threshold was exceeded',
      );
      this.#walk.tree.setAside(child);
      this.#walk.tree.put(around);
      this.#walk.forks.failFork(around, stepError(threshold));
      this.#walk.forks.childGone(child);
      return true;
    }
    this.#walk.tree.put(around);
    this.#walk.forks.childDone(child, null, {
      isSkipped: false,
      error: { code: error.name, message: error.message },
    });
    return true;
  }
}

/** What a Map's fields came to; `keys` where it goes through an object. */
interface MapItems {
  readonly values: Values;
  readonly items: readonly Json[];
  readonly keys: readonly string[] | null;
}

/** Held items, and what has been selected of them. */
interface Selection extends JsonObject {
  readonly values: JsonObject;
  readonly items: readonly Json[];
  readonly keys: readonly string[] | null;
  readonly selected: readonly Json[];
}
