/** How something does, in a word; the colour only says it again. */
export type Tone = "good" | "warn" | "bad" | "calm";
