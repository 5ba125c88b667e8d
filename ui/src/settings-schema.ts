// Which settings there are and what they accept, read from the admin API's document. The form follows from it: a field
// that the gateway gains appears here by itself.
import { components } from './api/openapi.json';

interface Schema {
  type?: string | string[];
  $ref?: string;
  allOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
}

export type Control =
  | { kind: 'choice'; options: string[] }
  | { kind: 'number'; minimum: number; maximum: number }
  | { kind: 'switch' }
  | { kind: 'text' };

export interface Field {
  /** Such as `listener.port`. */
  path: string;
  /** Such as `listener`. */
  section: string;
  control: Control;
}

const schemas = components.schemas as unknown as Record<string, Schema>;

function resolve(schema: Schema): Schema {
  const target = schema.$ref ?? schema.allOf?.[0]?.$ref ?? schema.oneOf?.find((one) => one.$ref)?.$ref;
  return target ? (schemas[target.split('/').at(-1) ?? ''] ?? schema) : schema;
}

function controlOf(schema: Schema): Control {
  const resolved = resolve(schema);
  if (resolved.enum) return { kind: 'choice', options: resolved.enum.map(String) };
  if (resolved.type === 'boolean') return { kind: 'switch' };
  if (resolved.type === 'integer') {
    return { kind: 'number', minimum: resolved.minimum ?? 0, maximum: resolved.maximum ?? Number.MAX_SAFE_INTEGER };
  }
  return { kind: 'text' };
}

/** Every setting with a single value, in the order of the document. Lists have a place of their own, such as the page of models. */
export function allFields(): Field[] {
  const sections = schemas['Settings']?.properties ?? {};
  return Object.entries(sections).flatMap(([section, schema]) =>
    Object.entries(resolve(schema).properties ?? {})
      .filter(([, field]) => resolve(field).type !== 'array')
      .map(([name, field]) => ({ path: `${section}.${name}`, section, control: controlOf(field) })),
  );
}
