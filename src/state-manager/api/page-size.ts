import { invalidField } from "../../resource/errors.js";
import { cut } from "../../resource/quote.js";

/** What a page may hold; 0 asks for the default. */
export interface PageSizeRange {
  readonly default: number;
  readonly max: number;
}

/** Of a page of GetHistory: each entry is a whole resource. */
export const HISTORY_PAGE_SIZE: PageSizeRange = { default: 50, max: 1_000 };

/** The size of a page. Throws INVALID_FIELD out of range: a silent cap would look like the end of the list (I9). */
export function pageSize(field: string, asked: number | bigint, range: PageSizeRange): number {
  if (asked < 0 || asked > range.max) {
    throw invalidField(
      field,
      `must be 0 to ${range.max} (got ${cut(`${asked}`)}); ask for further pages with page_token`,
    );
  }
  return Number(asked) || range.default;
}
