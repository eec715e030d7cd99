// Sorting: by the raw figures of data-sort. Rows without a figure stay below, whatever the order.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((h) => h.hasAttribute("aria-sort") && h.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sortRows(table.tBodies[0], column, up, head.hasAttribute("data-text"));
    });
  });
}

function sortRows(body, column, up, text) {
  const key = (row) => row.cells[column].dataset.sort;
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const d = text ? x.localeCompare(y) : x - y;
    return up ? d : -d;
  };
  body.append(...[...body.rows].sort(order));
}

function moreColumns() {
  const button = document.getElementById("more");
  button.addEventListener("click", () => {
    const all = document.getElementById("table").classList.toggle("all-columns");
    button.setAttribute("aria-pressed", all);
    button.textContent = all ? "Fewer columns" : "More columns";
  });
}

// switches show one of several drawings.
function switches() {
  for (const group of document.querySelectorAll(".switch")) {
    const buttons = [...group.querySelectorAll("[data-show]")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const b of buttons) {
          b.setAttribute("aria-pressed", b === button);
          document.getElementById(b.dataset.show).hidden = b !== button;
        }
      });
    }
  }
}

// A link to something folded opens it.
function unfold() {
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target?.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();
}
