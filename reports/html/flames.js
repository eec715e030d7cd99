// The measures of reports/svg.go, in pixels.
const flameMargin = 10, flameRow = 18, flameChar = 7.3, flameEdged = 4, flameLeast = 0.5;

// columnsOf is how many characters a text is wide: what comes after Hangul Jamo may be two wide.
function columnsOf(text) {
  let n = 0;
  for (const c of text) n += c < "\u1100" ? 1 : 2;
  return n;
}

function fitName(name, width) {
  const columns = Math.floor((width - 6) / flameChar);
  if (columns < 3) return "";
  if (columnsOf(name) <= columns) return name;
  const short = [...name.slice(name.search(/[^/]*(?:[([]|$)/))];
  if (columnsOf(short) <= columns) return short.join("");
  while (columnsOf(short) >= columns) short.pop();
  return short.join("") + "…";
}

// codeKinds are what frames can be colored by instead of their package: the first that fits.
const codeKinds = [
  ["cut", "cut", (n) => n.code & code.cut],
  ["ready", "ready, no CPU", (n) => n.code & code.ready],
  ["kernel", "kernel", (n) => n.code & code.kernel],
  ["sched", "Go scheduler", (n) => n.scheduler],
  ["wait", "cause of a wait", (n) => n.code & code.made && n.depth > 0 && !(n.code & code.narrow)],
  ["inline", "inlined", (n) => n.code & code.inlined],
  ["user", "user", (n) => n.depth > 0 && !(n.code & code.narrow)],
];

const frameColors = {
  package: (n) => {
    if (n.depth === 0 || n.code & code.narrow) return "all";
    return n.code & (code.made | code.kernel) ? frameColors.code(n) : "c" + n.color;
  },
  code: (n) => codeKinds.find(([, , is]) => is(n))?.[0] ?? "all",
};

function svgElement(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// FlameView draws one graph as wide as its box. The frame that is chosen has the whole width, with its callers; one
// frame is a stop of the Tab key, arrow keys go from frame to frame.
class FlameView {
  constructor(place, on) {
    Object.assign(this, { place, on, nodes: [], hits: new Set(), shown: [], color: frameColors.package, rootOnTop: false, tip: (n) => n.name });
    place.addEventListener("click", (e) => this.over(e, (n) => this.zoom(n)));
    // A graph that is drawn anew under a mouse at rest is not pointed at.
    let mouse = "";
    const where = (e) => e.clientX + " " + e.clientY;
    for (const moved of ["mousemove", "mousedown"]) addEventListener(moved, (e) => { mouse = where(e); });
    place.addEventListener("mouseover", (e) => where(e) !== mouse && this.over(e, (n) => on.details(this.tip(n))));
    place.addEventListener("focusin", (e) => this.over(e, (n) => { this.stop(n); on.details(this.tip(n)); }));
    place.addEventListener("keydown", (e) => this.key(e));
  }

  over(event, act) {
    const node = this.byGroup?.get(event.target.closest("g"));
    if (node) act(node);
  }

  // show takes another graph; the frame that was chosen stays so where this one has it.
  show(nodes, keep) {
    const path = keep && this.zoomed ? pathOf(this.zoomed) : [];
    this.nodes = nodes;
    this.zoomed = path.reduce((at, name) => at?.callees.find((c) => c.name === name), nodes[0]) ?? nodes[0];
    this.current = this.zoomed;
    this.draw();
    this.place.scrollTop = this.rootOnTop ? 0 : this.place.scrollHeight;
  }

  zoom(node) {
    this.zoomed = this.current = node;
    this.draw();
  }

  whole() { if (this.nodes.length) this.zoom(this.nodes[0]); }

  // visible gives the callers of the chosen frame, itself, and of its callees what is wide enough.
  visible(width) {
    const list = [], scale = this.zoomed.wide > 0 ? width / this.zoomed.wide : 0;
    for (let at = this.zoomed.parent; at; at = at.parent) list.unshift({ node: at, left: flameMargin, wide: width });
    const add = (node) => {
      const wide = node.wide * scale;
      if (wide < flameLeast) return;
      list.push({ node, left: flameMargin + (node.x - this.zoomed.x) * scale, wide });
      node.callees.forEach(add);
    };
    add(this.zoomed);
    return list;
  }

  draw() {
    if (!this.nodes.length) return;
    const focused = this.place.contains(document.activeElement), width = this.place.clientWidth;
    this.shown = this.visible(width - 2 * flameMargin);
    const deepest = this.shown.reduce((most, f) => Math.max(most, f.node.depth), 0), height = 2 * flameMargin + flameRow * (deepest + 1);
    const svg = svgElement("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": this.label });
    this.byGroup = new Map();
    for (const f of this.shown) {
      f.y = flameMargin + flameRow * (this.rootOnTop ? f.node.depth : deepest - f.node.depth);
      f.g = this.group(f);
      this.byGroup.set(f.g, f.node);
      svg.append(f.g);
    }
    this.place.replaceChildren(svg);
    this.stop(this.current);
    if (focused) this.frameOf(this.current).g.focus({ preventScroll: true });
    this.on.zoomed(this.zoomed !== this.nodes[0]);
  }

  group(f) {
    const g = svgElement("g", { "data-name": f.node.name, role: "button", tabindex: -1 }), classes = [this.color(f.node)];
    if (f.wide < flameEdged) classes.push("thin");
    else if (f.node.code & code.inlined) classes.push("inlined");
    if (this.hits.has(f.node)) classes.push("hit");
    g.append(svgElement("title", {}, this.tip(f.node)));
    g.append(svgElement("rect", { class: classes.join(" "), x: f.left, y: f.y, width: f.wide, height: flameRow - 1 }));
    const name = fitName(f.node.name, f.wide);
    if (name) g.append(svgElement("text", { x: f.left + 3, y: f.y + 13 }, name));
    return g;
  }

  frameOf(node) { return this.shown.find((f) => f.node === node) ?? this.shown[0]; }

  stop(node) {
    this.frameOf(this.current)?.g.setAttribute("tabindex", -1);
    this.current = this.frameOf(node).node;
    this.frameOf(node).g.setAttribute("tabindex", 0);
  }

  // neighbour is where an arrow key leads to: the widest callee, the caller, what is left and right in the row.
  neighbour(key) {
    const from = this.frameOf(this.current), row = this.shown.filter((f) => f.node.depth === from.node.depth);
    const up = this.rootOnTop ? "ArrowDown" : "ArrowUp", down = this.rootOnTop ? "ArrowUp" : "ArrowDown";
    switch (key) {
      case up: return this.shown.filter((f) => f.node.parent === from.node).sort((a, b) => b.wide - a.wide)[0];
      case down: return this.shown.find((f) => f.node === from.node.parent);
      case "ArrowLeft": return row[row.indexOf(from) - 1];
      case "ArrowRight": return row[row.indexOf(from) + 1];
      case "Home": return this.shown[0];
    }
  }

  key(e) {
    if (e.ctrlKey || e.altKey || e.metaKey || !this.nodes.length) return;
    const next = this.neighbour(e.key);
    const act = { Enter: () => this.zoom(this.current), " ": () => this.zoom(this.current), Escape: () => this.whole() }[e.key];
    if (!next && !act) return;
    e.preventDefault();
    if (next) next.g.focus();
    else act();
  }
}

function pathOf(node) {
  const names = [];
  for (let at = node; at.parent; at = at.parent) names.unshift(at.name);
  return names;
}

// tipOf tells everything of a frame.
function tipOf(node, root, unit, difference, comparison) {
  const parts = [`${node.name}: ${format(unit, node.wide)}`, formatShare(root.wide > 0 ? node.wide / root.wide : 0)];
  if (node.file) parts.push(node.line ? `${node.file}:${node.line}` : node.file);
  if (node.code & code.inlined) parts.push("inlined");
  if (node.code & code.kernel) parts.push("kernel");
  if (node.scheduler) parts.push("Go scheduler");
  return parts.join(", ") + (difference ? "; " + differenceText(difference, unit, comparison) : "");
}

function differenceText(d, unit, comparison) {
  const figures = `${format(unit, d.mine)}${comparison.perUnit ? " a unit" : ""}, in ${comparison.model} ${format(unit, d.theirs)}`;
  if (!comparison.known) return figures + ", noise not known";
  if (d.sign === 0) return `${figures}, within the noise of ±${format(unit, d.noise)}`;
  if (d.theirs === 0) return figures + ", new";
  return `${figures}, ${d.sign > 0 ? "grew" : "shrank to"} ${significant(d.mine / d.theirs, 3)}x`;
}

function comparisonNotes(comparison, mine, theirs) {
  const of = comparison.perUnit ? " Values are of one unit of work." : "";
  if (!comparison.known) {
    return [{ text: `Compared with ${comparison.model}, but of noise nothing is known: that takes 2 trials of each, and there are ${mine} and ${theirs}. No frame is colored.${of}`, loud: true }];
  }
  return [{ text: `Compared with ${comparison.model}: red has more, blue has less. Grey is within the noise: means of ${mine} and ${theirs} trials, apart by no more than ${{ 1: "", 2: "twice ", 4: "four times " }[comparison.ranges]}both ranges.${of}` },
    { text: `The width is that of this model. What only ${comparison.model} has is not in the picture: compare the other way round.` }];
}
