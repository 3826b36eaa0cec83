
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A click on a column's name sorts by it, a second one the other way round.
  const key = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.sort === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.sort);
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head) => {
      const at = head.cellIndex;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending" ||
          (head.classList.contains("num") && !head.hasAttribute("aria-sort"));
        all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [key(row, at), row]);
        rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // Files and samples of one rule, or of files whose name holds some text.
  const first = document.getElementById("files");
  if (first) {
    const make = (name, fields) => Object.assign(document.createElement(name), fields);
    const bar = make("div", { className: "filter" });
    bar.setAttribute("role", "search");
    const rule = make("select", { id: "by-rule" });
    rule.append(make("option", { value: "", textContent: "all" }));
    all("#rules tbody tr").forEach((row) => {
      rule.append(make("option", { value: row.dataset.rules, textContent: row.dataset.rules }));
    });
    const text = make("input", { id: "by-name", type: "search", placeholder: "part of its name" });
    const said = make("output", {});
    const label = (words, field) => {
      const made = make("label", { textContent: words });
      made.append(field);
      return made;
    };
    bar.append(label("Rule", rule), label("File", text), said);
    first.before(bar);
    const files = all("#files tbody tr");
    const groups = all("#samples details.group");
    const filter = () => {
      const [wanted, part] = [rule.value, text.value.toLowerCase()];
      const right = (element) => !wanted || element.dataset.rules.split(" ").includes(wanted);
      const named = (element) => !part || element.querySelector(".path").textContent.toLowerCase().includes(part);
      let shown = 0;
      files.forEach((row) => {
        row.hidden = !(right(row) && named(row));
        shown += row.hidden ? 0 : 1;
      });
      groups.forEach((group) => {
        const samples = all("li", group);
        samples.forEach((sample) => { sample.hidden = !named(sample); });
        group.hidden = !right(group) || samples.every((sample) => sample.hidden);
        if (wanted && !group.hidden) group.open = true;
      });
      said.textContent = wanted || part ? shown + " of " + files.length + " files" : "";
    };
    rule.addEventListener("change", filter);
    text.addEventListener("input", filter);
  }

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
})();
