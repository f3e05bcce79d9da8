/**
 * What DATABASE_URL names cannot be used, and waiting does not help. The message is one line that says what is wrong and what to
 * do; the server ends with it at start, and later answers UNAVAILABLE with it.
 */
export class UnfitDatabaseError extends Error {
  override readonly name: string = "UnfitDatabaseError";
}
