// The pages: each takes the model and gives elements.
const tableLink = (m, t, column) => h("a", { href: link(["table", m.T.key[t]], { column }) }, m.T.name[t], column ? `.${column}` : "");
const projectLink = (m, p) => h("a", { href: link(["project", m.P.id[p]]) }, m.P.title[p]);
const owner = (m, p) => m.text(m.P.owner[p]);
const catalogLink = (m, kind, name) => (m.meta.openmetadata ? outside(`${m.meta.openmetadata}/${kind}/${encodeURIComponent(name)}`, "OpenMetadata") : null);
function cellLink(m, p, cell) {
  if (!cell) return h("span", { class: "muted" }, "cell not named");
  const url = m.P.url[p], id = m.P.id[p], found = url && [`/hex/${id}`, `/app/${id}`].find((part) => url.includes(part));
  const told = m.cellAt.get(`${id}|${cell}`), target = told?.url ?? (found ? `${url.split(found)[0]}/hex/${id}/draft/logic?selectedCellId=${encodeURIComponent(cell)}` : url);
  const label = told?.label ? h("span", { title: cell }, told.label) : h("code", { title: cell }, cell.length > 13 ? `${cell.slice(0, 8)}…` : cell);
  return /^https?:/i.test(target ?? "") ? h("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, label) : label;
}
function cellsOf(m, row) {
  return h("table", {}, h("thead", {}, h("tr", {}, ["Cell", "Columns", "How", "Flows to", "Queries", "By", "Why it ran", "Last", "Known by", "Sample query"].map((t) => h("th", {}, t)))),
    h("tbody", {}, row.cells.slice(0, 200).map((c) => h("tr", {}, [cellLink(m, c.project, c.cell), c.columns.map((k) => k.column).join(", ") || "not known", uses(c.usage), c.outputs.join(", "), number(c.queries),
      c.users.join(", "), c.contexts.join(", "), day(c.last), `${c.evidence.join(", ")}${c.partial ? " (in part)" : ""}`, h("code", {}, c.sample ?? "")].map((v) => h("td", {}, v))))));
}
function blindSpots(m) {
  const notes = [];
  if (m.meta.notWhole) notes.push(`${plural(m.meta.notWhole, "statement")} of ${number(m.meta.statements)} could not be read whole (${m.meta.reasons.slice(0, 4).map(([r, n]) => `${r}: ${number(n)}`).join(", ")}): some reads may be missing.`);
  if (m.meta.storedDays < m.meta.days) notes.push(`Only ${m.meta.storedDays} of the window's ${m.meta.days} days are stored.`);
  if (m.meta.noCatalog) notes.push("No catalog is stored: names are as queries wrote them, and tables that nobody reads are not listed.");
  if (m.meta.noProjects) notes.push("No snapshot of Hex projects is stored: titles, owners and views are missing.");
  if (m.meta.ambiguous.length) notes.push(`${plural(m.meta.ambiguous.length, "name")} fit two tables of the catalog and count for neither: ${m.meta.ambiguous.slice(0, 5).join(", ")}${m.meta.ambiguous.length > 5 ? " …" : ""}`);
  if (m.meta.hiddenColumns) notes.push(`${plural(m.meta.hiddenColumns, "column")} of tables that nothing reads are left out for size.`);
  return notes.map((text) => h("p", { class: "note" }, text));
}
function tableRows(m, id, list, file, empty) {
  return dataTable({ id, file, empty, rows: list, columns: [
    { label: "Table", kind: "name", value: (t) => m.T.name[t], cell: (t) => [tableLink(m, t), !m.T.inCatalog[t] && !m.meta.noCatalog ? [" ", tag("not in the catalog", "warn")] : null] },
    { label: "Warehouse", value: (t) => m.text(m.T.warehouse[t]) ?? "" },
    { label: "Projects that read", kind: "num", value: (t) => m.readers[t] }, { label: "that write", kind: "num", value: (t) => m.writers[t] },
    { label: "Queries", kind: "num", value: (t) => m.tableQueries[t] },
    { label: "Last read", kind: "when", value: (t) => m.tableLast[t], cell: (t) => day(m.tableLast[t]) }] });
}
function projectRows(m, id, list, file, empty) {
  const reads = (p) => new Set(m.readsOf(m.ofProject[p]).map((i) => m.E.table[i])).size;
  return dataTable({ id, file, empty, rows: list, columns: [
    { label: "Project", kind: "name", value: (p) => m.P.title[p], cell: (p) => [projectLink(m, p), m.text(m.P.retired[p]) ? [" ", tag(m.text(m.P.retired[p]), "warn")] : null] },
    { label: "Status", value: (p) => m.text(m.P.status[p]) ?? "" }, { label: "Owner", value: (p) => owner(m, p) ?? "", cell: (p) => mail(owner(m, p)) },
    { label: "Reads tables", kind: "num", value: reads }, { label: "Views, 30 days", kind: "num", value: (p) => m.P.views30[p] },
    { label: "Last viewed", kind: "when", value: (p) => m.P.viewedAt[p], cell: (p) => day(m.P.viewedAt[p]) },
    { label: "Last edited", kind: "when", value: (p) => m.P.editedAt[p], cell: (p) => day(m.P.editedAt[p]) }] });
}
const allOf = (list) => list.map((_, i) => i);
const lists = {
  tables: ["Tables", "Every table of the catalog, and those that only queries name.", (m) => tableRows(m, "list", allOf(m.T.name).sort((a, b) => m.readers[b] - m.readers[a] || m.tableQueries[b] - m.tableQueries[a]), "tables", "No table is known.")],
  projects: ["Projects", "Every Hex project and component.", (m) => projectRows(m, "list", allOf(m.P.id), "projects", "No project is known.")],
  dead: ["Dead projects", "Sent no query in the window and had no view in 30 days. Archived and trashed projects and components are left out, and those whose views Hex did not tell.", (m) => projectRows(m, "list", allOf(m.P.id).filter((p) => m.P.dead[p]), "dead-projects", "Every project is alive.")],
  single: ["Tables read by one project", "Ask that project's owner before anything else.", (m) => tableRows(m, "list", allOf(m.T.name).filter((t) => m.readers[t] === 1), "tables-read-by-one", "No table is read by just one project.")],
  missing: ["Tables not in the catalog", "Queries name them; the catalog has no table of that name.", (m) => tableRows(m, "list", m.meta.noCatalog ? [] : allOf(m.T.name).filter((t) => !m.T.inCatalog[t]), "tables-not-in-catalog", m.meta.noCatalog ? "No catalog is stored, so nothing can be compared." : "The catalog has them all.")],
};
function listView(m, name) {
  const [title, text, make] = lists[name];
  return [h("h1", {}, title), h("p", { class: "muted" }, text), make(m)];
}
function overview(m) {
  const read = m.readers.filter((n) => n).length, single = m.readers.filter((n) => n === 1).length;
  const card = (n, label, path) => h("a", { href: link([path]) }, h("b", {}, number(n)), label);
  const missing = m.meta.noCatalog ? 0 : m.T.inCatalog.filter((n) => !n).length;
  return [h("h1", {}, "What Hex reads"), h("p", { class: "muted" }, `From the warehouses' own query logs, ${m.meta.firstDay} to ${m.meta.lastDay}. Made ${minute(m.meta.generatedAt)}.`),
    h("div", { class: "figures" }, card(m.P.id.length, "projects", "projects"), card(read, "tables read", "tables"), card(single, "read by one project", "single"),
      card(m.P.dead.filter((n) => n).length, "dead projects", "dead"), card(missing, "tables not in the catalog", "missing")),
    blindSpots(m), h("h2", {}, "Tables most projects depend on"),
    tableRows(m, "list", allOf(m.T.name).filter((t) => m.readers[t]).sort((a, b) => m.readers[b] - m.readers[a] || m.tableQueries[b] - m.tableQueries[a]).slice(0, 20), "top-tables", "Nothing was read in the window.")];
}
function tableView(m, key, parameters) {
  const t = m.tableAt.get(key);
  if (t === undefined) return unknown("table", key);
  const asked = parameters.get("column"), usages = (parameters.get("usage") ?? "").split(",").filter(Boolean);
  const names = m.T.columns[t].map((c) => m.S[c]);
  const column = asked && (names.find((n) => n === asked) ?? names.find((n) => n.toLowerCase() === asked.toLowerCase()));
  if (asked && !column) return unknown("column", `${m.T.name[t]}.${asked}`);
  const reads = m.readsOf(m.ofTable[t]), rows = m.fold(reads, "project", { column: column ?? null, usages });
  const writers = m.fold(m.writesOf(m.ofTable[t]), "project", {});
  const perColumn = new Map();
  for (const i of reads) if (m.E.column[i] >= 0) { const n = m.S[m.E.column[i]]; if (!perColumn.has(n)) perColumn.set(n, new Set()); perColumn.get(n).add(m.E.project[i]); }
  const certain = new Set(m.fold(reads, "project", { column: column ?? null }).map((r) => r.id));
  const unsure = column ? m.fold(reads, "project", {}).filter((r) => !certain.has(r.id) && r.cells.some((c) => c.partial || (!c.columns.length && !c.evidence.includes("parsed")))).length : 0;
  const name = m.T.name[t] + (column ? `.${column}` : ""), owners = [...new Set(rows.map((r) => owner(m, r.id)).filter(Boolean))];
  const go = (changes) => { location.replace(link(["table", key], { column, usage: usages.join(","), ...changes })); };
  const selector = h("select", { "aria-label": "Column", onchange: () => go({ column: selector.value }) }, h("option", { value: "" }, `All columns (${names.length})`),
    names.map((n) => h("option", { value: n, selected: n === column }, `${n} — ${perColumn.get(n)?.size ?? 0}`)));
  const chips = USAGES.map((u) => h("button", { type: "button", class: "chip", "aria-pressed": String(usages.includes(u)), onclick: () => go({ usage: (usages.includes(u) ? usages.filter((x) => x !== u) : [...usages, u]).join(",") }) }, u));
  const write = owners.length && owners.length <= 40 ? mail(owners.join(","), `Change to ${name}`) : null;
  if (write) { write.className = "button"; write.replaceChildren(`Write to ${plural(owners.length, "owner")}`); }
  return [h("p", { class: "kicker" }, column ? "Column" : "Table"), h("h1", {}, name),
    h("div", { class: "badges" }, m.text(m.T.warehouse[t]) && tag(m.text(m.T.warehouse[t])), !m.T.inCatalog[t] && !m.meta.noCatalog && tag("not in the catalog", "warn")),
    h("div", { class: "actions" }, write, owners.length > 40 ? h("span", { class: "muted" }, `${number(owners.length)} owners, too many for one mail: take them from the CSV`) : null, h("a", { class: "button", href: link(["graph"], { focus: `table:${key}` }) }, "Show in graph"), m.T.inCatalog[t] ? catalogLink(m, "table", m.T.name[t]) : null),
    h("div", { class: "figures" }, figure(number(rows.length), rows.length === 1 ? "project reads it" : "projects read it"), figure(number(rows.reduce((n, r) => n + r.cells.filter((c) => c.cell).length, 0)), "cells"),
      figure(number(rows.reduce((n, r) => n + r.queries, 0)), "queries"), figure(number(new Set(rows.flatMap((r) => r.users)).size), "people"), figure(rows.length ? day(Math.max(...rows.map((r) => r.last))) : "never", `last read, since ${m.meta.firstDay}`, true)),
    unsure ? h("p", { class: "note" }, `${plural(unsure, "project")} may read this column too: the table is read there by statements whose columns are not known whole.`) : null,
    h("h2", {}, "Read by"), dataTable({ id: "readers", file: `readers of ${name}`, rows, empty: "Nothing read it in the window.", extra: [selector, chips], detail: (r) => cellsOf(m, r), columns: [
      { label: "Project", kind: "name", value: (r) => m.P.title[r.id], cell: (r) => projectLink(m, r.id) }, { label: "How", value: (r) => r.usage.join(" "), cell: (r) => uses(r.usage) },
      { label: "Columns", value: (r) => r.columns.join(", "), cell: (r) => (r.columns.length > 4 ? `${r.columns.slice(0, 3).join(", ")} and ${r.columns.length - 3} more` : r.columns.join(", ")) },
      { label: "Queries", kind: "num", value: (r) => r.queries }, { label: "People", value: (r) => r.users.join(", "), cell: (r) => h("span", { title: r.users.join(", ") }, r.users.length > 1 ? plural(r.users.length, "person").replace("persons", "people") : r.users[0] ?? "") },
      { label: "Last", kind: "when", value: (r) => r.last, cell: (r) => day(r.last) }, { label: "Views, 30 days", kind: "num", value: (r) => m.P.views30[r.id] },
      { label: "Owner", value: (r) => owner(m, r.id) ?? "", cell: (r) => mail(owner(m, r.id), `Change to ${name}`) }] }),
    writers.length && !column ? [h("h2", {}, "Written by"), dataTable({ id: "writers", file: `writers of ${name}`, rows: writers, empty: "", detail: (r) => cellsOf(m, r), columns: [
      { label: "Project", kind: "name", value: (r) => m.P.title[r.id], cell: (r) => projectLink(m, r.id) }, { label: "Queries", kind: "num", value: (r) => r.queries },
      { label: "Last", kind: "when", value: (r) => r.last, cell: (r) => day(r.last) }, { label: "Owner", value: (r) => owner(m, r.id) ?? "", cell: (r) => mail(owner(m, r.id)) }] })] : null];
}
function projectView(m, id) {
  const p = m.projectAt.get(id);
  if (p === undefined) return unknown("project", id);
  const list = (title, idName, indices) => { const rows = m.fold(indices, "table", {});
    return [h("h2", {}, title), dataTable({ id: idName, file: `${title} ${m.P.title[p]}`, rows, empty: "Nothing in the window.", detail: (r) => cellsOf(m, r), columns: [
      { label: "Table", kind: "name", value: (r) => m.T.name[r.id], cell: (r) => [tableLink(m, r.id), !m.T.inCatalog[r.id] && !m.meta.noCatalog ? [" ", tag("not in the catalog", "warn")] : null] },
      { label: "How", value: (r) => r.usage.join(" "), cell: (r) => uses(r.usage) }, { label: "Columns", value: (r) => r.columns.join(", ") },
      { label: "Queries", kind: "num", value: (r) => r.queries }, { label: "Last", kind: "when", value: (r) => r.last, cell: (r) => day(r.last) }] })]; };
  const writes = m.writesOf(m.ofProject[p]), words = (of) => of[p].map(m.text);
  return [h("p", { class: "kicker" }, m.text(m.P.kind[p]) === "COMPONENT" ? "Component" : "Project"), h("h1", {}, m.P.title[p]),
    h("div", { class: "badges" }, [m.text(m.P.status[p]), ...words(m.P.collections), ...words(m.P.categories)].filter(Boolean).map((x) => tag(x)), m.text(m.P.retired[p]) && tag(m.text(m.P.retired[p]), "warn"), m.P.dead[p] ? tag("dead", "warn") : null),
    m.P.description[p] ? h("p", {}, m.P.description[p]) : null,
    m.P.known[p] ? null : h("p", { class: "note" }, "Queries name this project, but Hex does not list it: it was deleted, or the token may not see it."),
    h("div", { class: "actions" }, outside(m.P.url[p], "Open in Hex"), catalogLink(m, "dashboard", `${m.meta.dashboardService.includes(".") ? `"${m.meta.dashboardService}"` : m.meta.dashboardService}.${id}`), h("a", { class: "button", href: link(["graph"], { focus: `project:${id}` }) }, "Show in graph")),
    h("div", { class: "figures" }, h("div", {}, h("b", { class: "small" }, mail(owner(m, p))), "owner"), figure(number(m.P.views30[p]), "views in 30 days"), figure(number(m.P.views[p]), "views, all time"),
      figure(day(m.P.viewedAt[p]) || "unknown", "last viewed", true), figure(day(m.P.editedAt[p]) || "unknown", "last edited", true), figure(day(m.P.publishedAt[p]) || "never", "last published", true)),
    m.P.gaps[p] ? h("p", { class: "note" }, `${plural(m.P.gaps[p], "statement")} of ${number(m.P.statements[p])} that it sent could not be read whole: some reads may be missing.`) : null,
    list("Reads", "reads", m.readsOf(m.ofProject[p])), writes.length ? list("Writes", "writes", writes) : null];
}
const goal = (m, hit) => (hit.kind === "project" ? link(["project", m.P.id[hit.position]]) : link(["table", m.T.key[hit.position]], { column: hit.column }));
const hitName = (m, hit) => (hit.kind === "project" ? m.P.title[hit.position] : m.T.name[hit.position] + (hit.column ? `.${hit.column}` : ""));
const hitNote = (m, hit) => (hit.kind === "project" ? owner(m, hit.position) ?? "" : hit.weight ? `read by ${plural(hit.weight, "project")}` : "not read");
function searchView(m, query) {
  const found = m.search(query), hits = [...found.table, ...found.column, ...found.project];
  return [h("h1", {}, `Results for “${query}”`), dataTable({ id: "list", file: "results", rows: hits, empty: "Nothing has this in its name.", columns: [
    { label: "Kind", value: (x) => x.kind }, { label: "Name", kind: "name", value: (x) => hitName(m, x), cell: (x) => h("a", { href: goal(m, x) }, hitName(m, x)) }, { label: "Note", value: (x) => hitNote(m, x) }] })];
}
const unknown = (kind, name) => [h("h1", {}, `No such ${kind}`), h("p", { class: "muted" }, `The report has no ${kind} called ${name}. It may be newer than the report, or gone.`)];
