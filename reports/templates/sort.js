for (const head of document.querySelectorAll("table.sortable th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const body = head.closest("table").tBodies[0];
    const at = head.cellIndex;
    const numbers = [...body.rows].some((row) => row.cells[at].dataset.order);
    const value = (row) => numbers ? parseFloat(row.cells[at].dataset.order) : row.cells[at].textContent;
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a), y = value(b);
      if (!numbers) return (up ? 1 : -1) * x.localeCompare(y, "en", { numeric: true });
      // Rows without a number stay at the end, whichever way the others go.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return up ? x - y : y - x;
    });
    body.append(...rows);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  });
}
