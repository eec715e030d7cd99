// A flame graph as the page holds it (reports/flames.go, flameData) becomes a tree of nodes.
const code = { inlined: 1, kernel: 2, made: 4, scheduler: 8, ready: 16, narrow: 32, cut: 64 };

function newNode(parent, frame, values) {
  const node = { parent, ...frame, values, callees: [], depth: parent ? parent.depth + 1 : 0, x: 0, wide: 0 };
  node.scheduler = (frame.code & code.scheduler) !== 0 || (parent?.scheduler ?? false);
  if (parent) parent.callees.push(node);
  return node;
}

function framesOf(data) {
  return data.frames.map(([name, file, line, code, color]) => ({ name: data.names[name], file: data.names[file], line, code, color }));
}

// topDown gives the nodes with callers below their callees, callers first.
function topDown(data) {
  const frames = framesOf(data), nodes = [], path = [];
  for (let i = 0; i < data.nodes.length; i += 2 + data.count) {
    const depth = data.nodes[i];
    path[depth] = newNode(path[depth - 1], frames[data.nodes[i + 1]], data.nodes.slice(i + 2, i + 2 + data.count));
    nodes.push(path[depth]);
  }
  return placed(nodes);
}

// bare is a node's frame alone.
function bare({ name, file, line, code, color }) { return { name, file, line, code, color }; }

// leavesFirst turns every stack round: functions stand on the root by what they pay themselves, their callers on them.
function leavesFirst(data) {
  const down = topDown(data), root = newNode(undefined, bare(down[0]), [...down[0].values]), nodes = [root], known = new Map();
  for (const leaf of down.slice(1)) {
    const own = leaf.values.map((n, i) => leaf.callees.reduce((rest, c) => rest - c.values[i], n));
    if (own.every((n) => n <= 0)) continue;
    let at = root;
    for (let from = leaf; from.parent; from = from.parent) {
      let callers = known.get(at);
      if (!callers) known.set(at, (callers = new Map()));
      let node = callers.get(from.name);
      if (!node) {
        callers.set(from.name, (node = newNode(at, bare(from), own.map(() => 0))));
        node.scheduler = from.scheduler;
        nodes.push(node);
      }
      node.scheduler &&= from.scheduler;
      if (node.file !== from.file) node.file = "";
      if (node.line !== from.line) node.line = 0;
      node.code &= from.code;
      own.forEach((n, i) => (node.values[i] += n));
      at = node;
    }
  }
  return placed(nodes);
}

// placed gives each node its mean over the trials as its width, and its place: callees side by side, what is the
// caller's own right of them.
function placed(nodes) {
  for (const node of nodes) node.wide = node.values.reduce((a, b) => a + b, 0) / node.values.length;
  const spread = (node) => {
    let x = node.x;
    node.callees.sort((a, b) => (a.code & code.narrow) - (b.code & code.narrow));
    for (const callee of node.callees) {
      callee.x = x;
      x += callee.wide;
      spread(callee);
    }
  };
  if (nodes.length) spread(nodes[0]);
  return nodes;
}

// matching finds functions by a part of their name. What stands on a match is in it already: shares add up.
function matching(nodes, term) {
  const wanted = term.trim().toLowerCase(), hits = new Set();
  if (wanted === "") return { hits, share: 0 };
  let sum = 0;
  const within = new Set();
  for (const node of nodes) {
    const hit = !(node.depth === 0) && node.name.toLowerCase().includes(wanted);
    if (hit) hits.add(node);
    if (hit && !within.has(node.parent)) sum += node.wide;
    if (hit || within.has(node.parent)) within.add(node);
  }
  return { hits, share: nodes.length && nodes[0].wide > 0 ? sum / nodes[0].wide : 0 };
}

// compared gives each node how it differs from the one with the same names from the root on in another graph. The rule
// is that of reports/difference.go: means of the trials that lie further apart than both ranges together, or than a
// multiple of them where trials are few. Where the other graph has left out what is narrow, a node that it lacks may have
// been as great as that.
function compared(nodes, data, others, other) {
  const units = [...(data.units ?? []), ...(other.units ?? [])];
  const perUnit = data.units != null && other.units != null && Math.min(...units) !== Math.max(...units);
  const known = data.count >= 2 && other.count >= 2;
  const ranges = [data.count, other.count].reduce((factor, trials) => (trials === 2 ? 2 * factor : factor), 1);
  const figures = (values, of) => {
    const list = values.map((n, i) => (perUnit ? n / of.units[i] : n));
    return { mean: list.reduce((a, b) => a + b, 0) / list.length, range: Math.max(...list) - Math.min(...list) };
  };
  const partner = new Map([[undefined, undefined]]), none = new Array(other.count).fill(0), differences = new Map();
  const hidden = other.least / other.count / (perUnit ? Math.min(...other.units) : 1);
  for (const node of nodes) {
    const at = node.parent ? partner.get(node.parent)?.callees.find((c) => c.name === node.name) : others[0];
    partner.set(node, at);
    const mine = figures(node.values, data), theirs = figures(at?.values ?? none, other);
    const noise = ranges * (mine.range + theirs.range) + (at ? 0 : hidden), apart = mine.mean - theirs.mean;
    const sign = known && Math.abs(apart) > noise ? Math.sign(apart) : 0;
    const [less, more] = [Math.min(mine.mean, theirs.mean), Math.max(mine.mean, theirs.mean)];
    const level = more < 1.5 * less ? 1 : more < 3 * less ? 2 : 3;
    differences.set(node, { mine: mine.mean, theirs: theirs.mean, noise, sign, level });
  }
  return { differences, perUnit, known, ranges };
}
