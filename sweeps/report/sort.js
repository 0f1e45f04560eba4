"use strict";
// Headings become buttons, so that the keyboard reaches them and a page without this script has none that do nothing.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const said = document.getElementById("said");
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    if (heading.dataset.drawn !== undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const first = heading.dataset.first;
      const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows];
      const key = (row) => row.cells[column].dataset.sort;
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const p = Number(x === "inf" ? Infinity : x), q = Number(y === "inf" ? Infinity : y);
        if (Number.isNaN(p) || Number.isNaN(q)) return sign * x.localeCompare(y);
        return p === q ? 0 : sign * (p < q ? -1 : 1);
      };
      body.append(...rows.sort(compare));
      said.textContent = `Sorted by ${button.textContent.trim()}, ${order}.`;
    });
  });
}

for (const source of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  source.before(button);
  button.addEventListener("click", async () => {
    const text = [...source.querySelectorAll("[data-line]")].map((line) => line.textContent.trim()).join("\n");
    const selection = getSelection();
    selection.selectAllChildren(source);
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
