"use strict";
(() => {
  const svg = document.documentElement, margin = 10, whole = 1180, ns = "http://www.w3.org/2000/svg";
  const search = document.getElementById("search"), reset = document.getElementById("reset");
  const frames = [...svg.querySelectorAll("g[data-name]")].map((g) => {
    const rect = g.querySelector("rect"), at = (name) => Number(rect.getAttribute(name));
    return { g, rect, text: g.querySelector("text"), name: g.dataset.name, x: at("x"), y: at("y"), width: at("width") };
  });
  const label = (f, width) => {
    const columns = Math.floor((width - 6) / 7.3), name = [...f.name];
    if (columns < 3) return "";
    return name.length <= columns ? f.name : name.slice(0, columns - 1).join("") + "…";
  };
  const place = (f, x, width) => {
    f.rect.setAttribute("x", x);
    f.rect.setAttribute("width", width);
    f.rect.classList.toggle("thin", width < 4);
    if (!f.text) {
      f.text = f.g.appendChild(document.createElementNS(ns, "text"));
      f.text.setAttribute("y", f.y + 13);
    }
    f.text.setAttribute("x", x + 3);
    f.text.textContent = label(f, width);
  };
  const zoom = (to) => {
    const scale = whole / to.width, end = to.x + to.width;
    for (const f of frames) {
      const caller = f.y > to.y && f.x <= to.x + 0.02 && f.x + f.width >= end - 0.02;
      const inside = f.y <= to.y && f.x >= to.x - 0.02 && f.x + f.width <= end + 0.02;
      f.g.style.display = caller || inside ? "" : "none";
      if (caller) place(f, margin, whole);
      else if (inside) place(f, margin + (f.x - to.x) * scale, f.width * scale);
    }
    reset.textContent = to === frames[0] ? "" : "Whole graph";
  };
  const find = (term) => {
    const wanted = term.toLowerCase(), hits = [];
    for (const f of frames) {
      const hit = wanted !== "" && f.name.toLowerCase().includes(wanted);
      f.rect.classList.toggle("hit", hit);
      if (hit) hits.push(f);
    }
    // What lies above a hit is in it already.
    let sum = 0, end = -1;
    for (const f of hits.sort((a, b) => a.x - b.x || b.width - a.width)) {
      if (f.x + f.width <= end + 0.02) continue;
      sum += f.width;
      end = f.x + f.width;
    }
    search.textContent = wanted === "" ? "Search" : `Search: ${(100 * sum / whole).toFixed(1)} % matched`;
  };
  const button = (element, act) => {
    element.setAttribute("role", "button");
    element.setAttribute("tabindex", "0");
    element.addEventListener("click", act);
    element.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      act();
    });
  };
  svg.setAttribute("role", "group");
  for (const f of frames) button(f.g, () => zoom(f));
  button(search, () => find(prompt("Find functions whose name has", "") ?? ""));
  button(reset, () => zoom(frames[0]));
  addEventListener("keydown", (e) => e.key === "Escape" && zoom(frames[0]));
  find("");
})();
