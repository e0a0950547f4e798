// Numbers as people read them.

/** Three digits, with a real minus sign. */
export function short(value) {
  const size = Math.abs(value);
  const text = size === 0 ? "0"
    : size >= 1000 || size < 0.001 ? value.toExponential(1)
      : size >= 100 ? value.toFixed(0)
        : String(Number(value.toPrecision(3)));
  return text.replaceAll("-", "−");
}

/** As many characters whatever the value, so that nothing jumps. */
export function steady(value) {
  if (value === null) return "∞"; // not finite
  const size = Math.abs(value);
  const text = size >= 1000 || (size > 0 && size < 0.0005) ? value.toExponential(1) : value.toFixed(3);
  return text.replaceAll("-", "−");
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
