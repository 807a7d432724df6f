"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  root.classList.add("js");

  /* Theme: system, light or dark; kept where the browser lets a local file keep anything. */
  const themes = ["system", "light", "dark"];
  const themeButton = byId("theme");
  const setTheme = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    themeButton.textContent = `Theme: ${theme}`;
    try { localStorage.setItem("theme", theme); } catch { /* not kept */ }
  };
  let theme = "system";
  try { theme = localStorage.getItem("theme"); } catch { /* not kept */ }
  setTheme(themes.includes(theme) ? theme : "system");
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    setTheme(themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length]);
  });

  /* Filter. */
  const rows = [...document.querySelectorAll(".req")].map((node) => ({
    node,
    verdict: node.dataset.v,
    level: node.dataset.l,
    family: node.dataset.f,
    operations: node.dataset.o.split(" "),
    text: [...node.querySelectorAll(".id, .statement, .came, .source")]
      .map((part) => part.textContent).join("\n").toLowerCase(),
  }));
  const chosen = { v: new Set(), l: new Set() };
  const family = byId("family");
  const operation = byId("operation");
  const search = byId("search");
  const chips = [...document.querySelectorAll(".chip")];

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      const fits = (!chosen.v.size || chosen.v.has(row.verdict))
        && (!chosen.l.size || chosen.l.has(row.level))
        && (!family.value || family.value === row.family)
        && (!operation.value || row.operations.includes(operation.value))
        && words.every((word) => row.text.includes(word));
      if (row.node.hidden === fits) row.node.hidden = !fits;
      if (fits) found += 1;
    }
    byId("found").textContent = found === rows.length
      ? `All ${rows.length} requirements` : `${found} of ${rows.length} requirements`;
  };

  /* What is filtered stands in the address, so that it can be sent on: #requirements?verdict=fail&family=error. */
  const fields = { family, operation, search };
  const kinds = { verdict: "v", level: "l" };
  const remember = () => {
    const said = new URLSearchParams();
    for (const [name, kind] of Object.entries(kinds)) if (chosen[kind].size) said.set(name, [...chosen[kind]].join(","));
    for (const [name, field] of Object.entries(fields)) if (field.value) said.set(name, field.value);
    const hash = said.size ? `#requirements?${said}` : location.hash.startsWith("#requirements?") ? "#requirements" : null;
    if (hash !== null) try { history.replaceState(null, "", hash); } catch { /* a browser that lets a file have no address */ }
  };
  const changed = () => { apply(); remember(); };
  const recall = (query) => {
    const said = new URLSearchParams(query);
    clear();
    for (const chip of chips) {
      const [name, kind] = Object.entries(kinds).find(([, one]) => one in chip.dataset);
      if (!(said.get(name) || "").split(",").includes(chip.dataset[kind])) continue;
      chosen[kind].add(chip.dataset[kind]);
      chip.setAttribute("aria-pressed", "true");
    }
    for (const [name, field] of Object.entries(fields)) field.value = said.get(name) || "";
    for (const field of [family, operation]) if (field.selectedIndex < 0) field.value = "";
    apply();
  };
  let due = 0;
  const soon = () => { cancelAnimationFrame(due); due = requestAnimationFrame(changed); };
  const clear = () => {
    chosen.v.clear();
    chosen.l.clear();
    chips.forEach((chip) => chip.setAttribute("aria-pressed", "false"));
    family.value = operation.value = search.value = "";
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const kind = chip.dataset.v ? "v" : "l";
      const value = chip.dataset[kind];
      if (!chosen[kind].delete(value)) chosen[kind].add(value);
      chip.setAttribute("aria-pressed", String(chosen[kind].has(value)));
      changed();
    });
  }
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  for (const field of [family, operation, search]) field.addEventListener("input", soon);
  byId("clear").addEventListener("click", () => { clear(); changed(); search.focus(); });
  byId("filter").hidden = false;
  apply();

  /* A cell of the grid shows the requirements behind it. */
  document.querySelector(".grid").addEventListener("click", (event) => {
    const cell = event.target.closest("a.cell");
    if (!cell || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    clear();
    family.value = cell.dataset.f;
    operation.value = cell.dataset.o;
    changed();
    byId("requirements").scrollIntoView();
    const first = document.querySelector(".req:not([hidden]) summary");
    if (first) first.focus({ preventScroll: true });
  });

  /* A link to a requirement opens it and brings it into view, whatever the filter hides. */
  const follow = () => {
    let [id, query] = location.hash.slice(1).split("?", 2);
    if (query !== undefined) recall(query);
    try { id = decodeURIComponent(id); } catch { /* taken as it is */ }
    const target = id && byId(id);
    if (!target) return;
    if (target.hidden) { clear(); apply(); }
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    target.scrollIntoView();
    const summary = target.matches("details") && target.querySelector("summary");
    if (summary) summary.focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    /* No hashchange comes for the address that is there already. */
    if (link && link.getAttribute("href") === location.hash && !event.defaultPrevented) follow();
  });
  follow();

  /* Copying. */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = button.parentElement.querySelector("pre");
    let done = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      done = true;
    } catch {
      getSelection().selectAllChildren(source);
      try { done = document.execCommand("copy"); } catch { /* selected, at least */ }
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
  });

  /* On paper nothing can be opened: failures are, everything else stays short. */
  addEventListener("beforeprint", () => {
    for (const node of document.querySelectorAll("#failures .card:not([open])")) {
      node.open = true;
      node.dataset.printed = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const node of document.querySelectorAll("details[data-printed]")) {
      node.open = false;
      delete node.dataset.printed;
    }
  });
})();
