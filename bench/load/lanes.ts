/** How many leases and reports of 50 are under way at once. */
export const LANES = 4;
/** Items of a lease, and of a report. */
export const BATCH = 50;

/** Calls `act`, which answers how many items it has done, in so many lanes until `count` are. */
export async function inLanes(count: number, lanes: number, act: () => Promise<number>): Promise<void> {
  let done = 0;
  const lane = async () => {
    while (done < count) {
      const more = await act();
      done += more;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
