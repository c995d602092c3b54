/** Milliseconds for people: `0.4s`, `12s`, `3m04s`, `1h02m`. */
export function renderDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m${pad(whole % 60)}s`;
  return `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`;
}

/** Time between two RFC 3339 times, for people. */
export function renderBetween(start: string, end: string): string {
  return renderDuration(Date.parse(end) - Date.parse(start));
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
