const UNITS = [
  { sign: "d", seconds: 86_400 },
  { sign: "h", seconds: 3_600 },
  { sign: "m", seconds: 60 },
  { sign: "s", seconds: 1 },
];

/** A span of milliseconds in at most two units, for example `2m10s`, `5h`, `3d4h`; days stand alone from ten on. */
export function formatSpan(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1_000));
  const at = UNITS.findIndex(({ seconds }) => total >= seconds);
  const unit = UNITS[at];
  if (unit === undefined) return "0s";
  const count = Math.floor(total / unit.seconds);
  const next = UNITS[at + 1];
  const rest = next === undefined ? 0 : Math.floor((total % unit.seconds) / next.seconds);
  const isExactEnough = next === undefined || rest === 0 || count >= 10;
  return isExactEnough ? `${count}${unit.sign}` : `${count}${unit.sign}${rest}${next.sign}`;
}
