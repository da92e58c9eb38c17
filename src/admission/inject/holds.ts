import { childOf, isList, isMap, type JsonValue, sameJson } from '../patch/json-value.ts';

/**
 * Whether everything of `wanted` is in `actual`. More may be there: the API server fills in defaults, its own admission
 * mounts its token into every container. Goes as deep as `wanted` does, which is ours.
 */
export function holds(actual: unknown, wanted: JsonValue): boolean {
  if (isMap(wanted)) {
    return (
      isMap(actual) && Object.entries(wanted).every(([key, value]) => holds(childOf(actual, key), value))
    );
  }
  if (!isList(wanted)) return actual === wanted;
  if (!wanted.every(isMap)) return sameJson(actual, wanted);
  return isList(actual) && wanted.every((element) => isHeld(actual, element));
}

/** Mounts go by their paths, all else by names, of which the last one counts (so it is with the environment). */
function isHeld(actual: readonly unknown[], wanted: JsonValue): boolean {
  const key = ['mountPath', 'name'].find((each) => childOf(wanted, each) !== undefined);
  if (key === undefined) return actual.some((element) => holds(element, wanted));
  return holds(
    actual.findLast((element) => childOf(element, key) === childOf(wanted, key)),
    wanted,
  );
}
