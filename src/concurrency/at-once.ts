/** What is known now, or will be. */
export type MaybeLater<T> = T | Promise<T>;

/** Told apart by `then`, not by its class: a promise may come from another realm (a VM context). */
export function isLater<T>(value: MaybeLater<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

/** Goes on at once with what is known now, later with what will be. What `goOn` throws goes the same way. */
export function andThen<T, R>(value: MaybeLater<T>, goOn: (value: T) => MaybeLater<R>): MaybeLater<R> {
  return isLater(value) ? value.then(goOn) : goOn(value);
}
