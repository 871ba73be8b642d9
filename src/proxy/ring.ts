/** A queue in an array that is used round and round; it grows by doubling and makes no garbage. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array(64).fill(undefined);
  #mask = 63;
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  push(item: T): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    this.#items[this.#tail & this.#mask] = item;
    this.#tail += 1;
  }

  peek(): T | undefined {
    return this.#head === this.#tail ? undefined : this.#items[this.#head & this.#mask];
  }

  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined;
    const at = this.#head & this.#mask;
    const item = this.#items[at];
    this.#items[at] = undefined;
    this.#head += 1;
    return item;
  }

  #grow(): void {
    const size = this.#items.length;
    const grown = new Array<T | undefined>(size * 2).fill(undefined);
    for (let index = 0; index < size; index += 1) grown[index] = this.#items[(this.#head + index) & this.#mask];
    this.#items = grown;
    this.#mask = size * 2 - 1;
    this.#head = 0;
    this.#tail = size;
  }
}
