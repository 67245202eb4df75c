/** Which keys and kinds of values a schema knows, read from its JSON Schema (input side). */
import { z } from 'zod';
import type { Path } from './fault.ts';

/** The part of JSON Schema that zod writes for our documents. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | false;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  /** What zod writes for objects that are told apart by their `type`. */
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export const jsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', reused: 'inline' }) as JsonSchema;

/** The schemas that may hold at a path: several where the document leaves a choice that `value` does not make. */
export function schemasAt(root: JsonSchema, path: Path, value?: unknown): JsonSchema[] {
  let current: JsonSchema[] = choices(root);
  for (const step of path) {
    value = isObject(value) ? value[step] : undefined;
    current = current.flatMap((schema) => {
      const next =
        typeof step === 'number'
          ? schema.items
          : schema.properties !== undefined && Object.hasOwn(schema.properties, step)
            ? schema.properties[step]
            : schema.additionalProperties || undefined;
      return next === undefined ? [] : choices(next);
    });
    const type = isObject(value) ? value['type'] : undefined;
    const meant = current.filter(
      ({ properties }) => type !== undefined && properties?.['type']?.const === type,
    );
    if (meant.length > 0) current = meant;
  }
  return current;
}

/** Keys that may stand at a path of `value`, or null when the names are free there. */
export function keysAt(root: JsonSchema, path: Path, value?: unknown): string[] | null {
  const properties = schemasAt(root, path, value).flatMap((schema) => Object.keys(schema.properties ?? {}));
  return properties.length === 0 ? null : [...new Set(properties)];
}

const isObject = (value: unknown): value is Record<string | number, unknown> =>
  typeof value === 'object' && value !== null;

const choices = (schema: JsonSchema): JsonSchema[] => {
  const inner = schema.anyOf ?? schema.oneOf;
  return inner === undefined ? [schema] : inner.flatMap(choices);
};
