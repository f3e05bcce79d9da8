/**
 * Prints rows together; when one of them cannot be shown, the others one by one. `complain` is told which and why: one bad row
 * must not hide those behind it. `print` must print nothing of rows that it rejects over.
 */
export async function printEach<Row>(
  rows: readonly Row[],
  print: (rows: readonly Row[]) => Promise<void>,
  complain: (row: Row, error: unknown) => Promise<void>,
): Promise<void> {
  try {
    await print(rows);
  } catch (error) {
    const [only, ...others] = rows;
    if (only === undefined) throw error;
    if (others.length === 0) await complain(only, error);
    else for (const row of rows) await printEach([row], print, complain);
  }
}
