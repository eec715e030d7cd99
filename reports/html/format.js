"use strict";

// Numbers as the terminal prints them (reports/units.go).
const units = {
  ns: [[999.5, 1, "ns"], [99.95e3, 1e3, "µs"], [999.5e6, 1e6, "ms"], [Infinity, 1e9, "s"]],
  bytes: [[1000, 1, "B"], [1000 * 1024, 1024, "KiB"], [1000 * 1024 ** 2, 1024 ** 2, "MiB"], [Infinity, 1024 ** 3, "GiB"]],
};

function significant(x, digits) {
  const a = Math.abs(x);
  if (a < 9.995) return x.toFixed(digits - 1);
  if (a < 99.95) return x.toFixed(Math.min(1, digits - 1));
  return x.toFixed(0);
}

function format(unit, x) {
  const steps = units[unit];
  if (!steps) return Number.isInteger(x) ? String(x) : significant(x, 3);
  const [, factor, suffix] = steps.find(([limit]) => Math.abs(x) < limit);
  if (factor === 1 && Number.isInteger(x)) return x + " " + suffix;
  return significant(x / factor, unit === "ns" ? 3 : 2) + " " + suffix;
}

// formatTick prints a label of an axis: round numbers stay round.
function formatTick(unit, x) {
  if (x === 0) return "0";
  const steps = units[unit];
  if (!steps) return Number.isInteger(x) ? String(x) : "";
  const [, factor, suffix] = steps.find(([limit]) => Math.abs(x) < limit);
  return Number((x / factor).toPrecision(4)) + " " + suffix;
}

function formatShare(x) {
  return x > 0 && x < 0.0005 ? "<0.1 %" : (100 * x).toFixed(1) + " %";
}
