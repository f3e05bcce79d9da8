/**
 * Who is drawn where: each id keeps its slot, and a new one takes the lowest that is free, so that a table scrolled far
 * writes other texts into the rows that it has instead of building new ones.
 */
export class Slots {
  #slots = new Map<string, number>();

  /** The slot of each id, from 0 on, never the same for two of them. The ids must differ. */
  assign(ids: readonly string[]): readonly number[] {
    const kept = new Set(ids.map((id) => this.#slots.get(id)));
    let free = 0;
    const next = () => {
      while (kept.has(free)) free++;
      return free++;
    };
    const assigned = ids.map((id) => this.#slots.get(id) ?? next());
    this.#slots = new Map(ids.map((id, at) => [id, assigned[at] as number])); // as many as ids
    return assigned;
  }
}
