// Gauges over time, by uPlot. All of them have one axis of time, one cursor, and show the same models.

// aligned gives uPlot one list of times for all curves: a value holds until its bucket ends. A logarithmic axis
// has no zero: what is before the middle of the first bucket stands there.
function aligned(gauge, view) {
  const edges = new Set();
  for (const c of gauge.curves) for (let i = 0; i <= c.values.length; i++) edges.add(i * c.bucket_ns);
  const times = [...edges].sort((a, b) => a - b);
  const columns = gauge.curves.map((c) => times.map((t) => {
    if (t > c.values.length * c.bucket_ns) return null;
    return c.values[Math.min(Math.floor(t / c.bucket_ns), c.values.length - 1)];
  }));
  return [view.log ? times.map((t) => Math.max(t, view.least)) : times, ...columns];
}

// colorOf is what a class comes to in the theme that is on.
function colorOf(...classes) {
  const probe = document.createElement("i");
  probe.className = classes.join(" ");
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

const dotSize = 7; // CSS pixels
const powersOfTwo = Array.from({ length: 50 }, (_, i) => 2 ** i);

// views are the axes of time that can be chosen. Where the slowest model takes many times as long as the fastest,
// a linear axis shows little of the others: it begins logarithmic.
function axisViews(data) {
  const curves = data.gauges.flatMap((g) => g.curves);
  const whole = Math.max(...curves.map((c) => c.values.length * c.bucket_ns));
  const least = Math.min(...curves.map((c) => c.bucket_ns)) / 2;
  const ends = data.models.filter((m) => m.end_ns > 0).sort((a, b) => a.end_ns - b.end_ns);
  const views = [
    { label: "all, linear", to: whole, least },
    { label: "all, logarithmic", to: whole, least, log: true },
    ...ends.slice(0, -1).map((m) => ({ label: "to the end of " + m.name + " (" + format("ns", m.end_ns) + ")", to: m.end_ns * 1.05, least })),
  ];
  const spread = ends.length > 1 && ends.at(-1).end_ns / ends[0].end_ns > 8;
  return { views, first: spread ? 1 : 0 };
}

function tooltip(gauge, models) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const show = (u) => {
    const i = u.cursor.idx;
    tip.hidden = i == null || u.cursor.left < 0;
    if (tip.hidden) return;
    const rows = gauge.curves.map((c, n) => ({ model: models[c.model], place: c.model, value: u.data[n + 1][i], shown: u.series[n + 1].show }))
      .filter((r) => r.shown && r.value != null).sort((a, b) => b.value - a.value);
    const time = document.createElement("b");
    time.textContent = format("ns", u.data[0][i]);
    tip.replaceChildren(time, ...rows.map((r) => {
      const line = document.createElement("div");
      const name = document.createElement("span"), value = document.createElement("span");
      name.textContent = r.model.name;
      value.textContent = format(gauge.unit, r.value);
      line.append(document.querySelector(`.legend [data-model="${r.place}"] .mark`).cloneNode(true), name, value);
      return line;
    }));
    const left = u.cursor.left + u.over.offsetLeft;
    const room = u.root.clientWidth - tip.offsetWidth;
    tip.style.left = Math.max(0, Math.min(left + 16, room)) + "px";
    if (left + 16 > room) tip.style.left = Math.max(0, left - tip.offsetWidth - 16) + "px";
    tip.style.top = u.over.offsetTop + 6 + "px";
  };
  return { hooks: { init: (u) => u.root.append(tip), setCursor: show } };
}

// isWhole says that nobody chose a part of the time: uPlot asks for all that there is.
function isWhole(u, lo, hi) {
  return lo === u.data[0][0] && hi === u.data[0].at(-1);
}

function plot(gauge, models, place, view, zoomed) {
  const axis = { stroke: colorOf("ink"), font: "12px system-ui, sans-serif",
    grid: { stroke: colorOf("grid"), width: 1 }, ticks: { stroke: colorOf("grid"), width: 1 } };
  const series = gauge.curves.map((c) => ({
    label: models[c.model].name, stroke: colorOf(models[c.model].class), width: 2, dash: models[c.model].dash,
    paths: uPlot.paths.stepped({ align: 1 }), show: models[c.model].shown,
    // A dot marks the greatest value: a short peak could fall between two dashes.
    points: { show: true, size: dotSize, width: 0, fill: colorOf(models[c.model].class), filter: (u, n) => [u.data[n].indexOf(c.greatest)] },
  }));
  const u = new uPlot({
    width: place.clientWidth, height: gauge.name === "rss" ? 320 : 210, legend: { show: false }, padding: [10, 12, 0, 0],
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: true }, points: { show: false } },
    scales: {
      x: { time: false, distr: view.log ? 3 : 1, range: (u, lo, hi) => (isWhole(u, lo, hi) ? [view.log ? view.least : 0, view.to] : [lo, hi]) },
      y: { range: (u, lo, hi) => [0, hi > 0 ? hi * 1.06 : 1] },
    },
    axes: [
      { ...axis, space: 70, values: (u, list) => list.map((x) => (x == null ? "" : formatTick("ns", x))) },
      { ...axis, size: 74, space: 34, incrs: gauge.unit === "bytes" ? powersOfTwo : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000],
        values: (u, list) => list.map((x) => formatTick(gauge.unit, x)) },
    ],
    series: [{}, ...series],
    plugins: [tooltip(gauge, models)],
    hooks: { setScale: [(u, key) => key === "x" && zoomed(u)] },
  }, aligned(gauge, view), place);
  return u;
}

// gaugeCharts draws all of them, and again where the theme, the axis or the width changes.
function gaugeCharts(data) {
  const places = [...document.querySelectorAll("[data-gauge]")];
  const plots = {};
  if (places.length === 0) return { plots, draw() {} };
  data.models.forEach((m) => { m.shown = true; });
  const { views, first } = axisViews(data);
  const select = document.getElementById("axis");
  select.append(...views.map((v, i) => new Option(v.label, i, i === first, i === first)));
  let following = false;
  // zoomed gives the others the part of the time that somebody chose in one of them.
  const zoomed = (from) => {
    if (following) return;
    following = true;
    const { min, max } = from.scales.x;
    for (const u of Object.values(plots)) if (u !== from && (u.scales.x.min !== min || u.scales.x.max !== max)) u.setScale("x", { min, max });
    following = false;
  };
  const draw = () => {
    following = true;
    for (const place of places) {
      const gauge = data.gauges.find((g) => g.name === place.dataset.gauge);
      plots[gauge.name]?.destroy();
      plots[gauge.name] = plot(gauge, data.models, place, views[select.value], zoomed);
    }
    following = false;
  };
  select.addEventListener("change", draw);
  for (const button of document.querySelectorAll(".legend [data-model]")) {
    button.addEventListener("click", () => {
      const model = data.models[button.dataset.model];
      model.shown = !model.shown;
      button.setAttribute("aria-pressed", model.shown);
      for (const gauge of data.gauges) {
        const n = gauge.curves.findIndex((c) => data.models[c.model] === model);
        if (n >= 0) plots[gauge.name].setSeries(n + 1, { show: model.shown });
      }
    });
  }
  new ResizeObserver(() => {
    for (const u of Object.values(plots)) {
      const width = u.root.parentElement.clientWidth;
      if (width > 0 && width !== u.width) u.setSize({ width, height: u.height });
    }
  }).observe(places[0].parentElement);
  draw();
  return { plots, draw };
}
