/** What other decorators have noted of a function by `reflect-metadata`, such as NestJS's `@Get()`: it is known by identity. */

interface MetadataReflect {
  getOwnMetadataKeys?(target: object): unknown[];
  getOwnMetadata?(key: unknown, target: object): unknown;
  defineMetadata?(key: unknown, value: unknown, target: object): void;
}

/** Notes the same of another function, where `reflect-metadata` is loaded. */
export function copyMetadata(from: object, to: object): void {
  const reflect = Reflect as object as MetadataReflect;
  for (const key of reflect.getOwnMetadataKeys?.(from) ?? []) {
    reflect.defineMetadata?.(key, reflect.getOwnMetadata?.(key, from), to);
  }
}
