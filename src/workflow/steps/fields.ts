// Readers of a step's fields that give undefined for a wrong type: the schema has reported it, other checks go on.
import { isObject, type Json, type JsonObject } from '../../json.js';
import { type Located, toJson } from '../located.js';

export function objectOf(node: Located): JsonObject {
  const json = toJson(node);
  return isObject(json) ? json : {};
}

export function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
