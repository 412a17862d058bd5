"use strict";
// A click on a header sorts its table; without this script the tables stand as they were written.
(() => {
  const read = (row, place) => row.cells[place].textContent.trim();
  const value = (text) => parseFloat(text.replace("\u2212", "-"));

  const order = (texts) => {
    const numeric = texts.every((text) => text === "" || !Number.isNaN(value(text)));
    return numeric
      ? (a, b) => value(a) - value(b)
      : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  };

  const sort = (table, heads, place) => {
    const sign = heads[place].getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map((row) => [read(row, place), row]);
    const compare = order(rows.map(([text]) => text));
    rows.sort(([a], [b]) => (a === "") - (b === "") || (a === "" ? 0 : sign * compare(a, b)));
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[place].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "sort";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, heads, place));
      head.append(button);
    });
  }

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open]):not(.long)")];
    for (const fold of opened) fold.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const fold of opened) fold.open = false;
  });
})();
