/** `0:59:07`, or `expired`; from 100 h on in days. Started seconds count. */
export function differenceText(leftMs: number): string {
  if (leftMs <= 0) return 'expired';
  const seconds = Math.ceil(leftMs / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h >= 100) return `${Math.floor(h / 24)} days`;
  return `${h}:${String(m).padStart(2, '0')}:${String(s).padStart(2, '0')}`;
}
