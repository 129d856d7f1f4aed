// Decodes the data and answers questions about it; knows nothing of the document's elements.
"use strict";
const USAGES = ["output", "filter", "join", "group", "order"];
const EVIDENCE = ["engine_log", "parsed"];

async function decode(text) {
  const raw = atob(text.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const bits = (mask, names) => names.filter((_, i) => mask & (1 << i));
const byNumber = (a, b) => b - a;

function buildModel(data) {
  const { tables: T, projects: P, edges: E, strings: S, meta } = data;
  const cellAt = new Map(data.cells.map(([project, cell, label, url]) => [`${project}|${S[cell]}`, { label, url }]));
  const ofTable = T.name.map(() => []), ofProject = P.id.map(() => []);
  for (let i = 0; i < E.project.length; i++) {
    ofTable[E.table[i]].push(i);
    ofProject[E.project[i]].push(i);
  }
  const text = (i) => (i < 0 ? null : S[i]);
  const distinct = (list, pick) => new Set(list.map(pick)).size;
  const readers = ofTable.map((list) => distinct(list.filter((i) => !E.write[i]), (i) => E.project[i]));
  const writers = ofTable.map((list) => distinct(list.filter((i) => E.write[i]), (i) => E.project[i]));
  const tableQueries = ofTable.map((list) => list.reduce((n, i) => n + (E.column[i] < 0 && !E.write[i] ? E.queries[i] : 0), 0));
  const tableLast = ofTable.map((list) => list.reduce((n, i) => (E.write[i] ? n : Math.max(n, E.last[i])), 0));
  const tableAt = new Map(T.key.map((key, i) => [key, i]));
  const projectAt = new Map(P.id.map((id, i) => [id, i]));

  // Search entries: [lower-case text, start of the last part, kind, position, column, weight]
  const entries = [];
  T.name.forEach((name, t) => {
    const low = name.toLowerCase();
    entries.push([low, low.lastIndexOf(".") + 1, "table", t, null, readers[t]]);
    const columnReaders = new Map();
    for (const i of ofTable[t]) {
      if (E.column[i] < 0 || E.write[i]) continue;
      if (!columnReaders.has(E.column[i])) columnReaders.set(E.column[i], new Set());
      columnReaders.get(E.column[i]).add(E.project[i]);
    }
    for (const c of T.columns[t])
      entries.push([`${low}.${S[c].toLowerCase()}`, low.length + 1, "column", t, S[c], columnReaders.get(c)?.size ?? 0]);
  });
  P.title.forEach((title, p) => entries.push([title.toLowerCase(), 0, "project", p, null, P.views30[p] ?? 0]));

  function search(query) {
    const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = { table: [], column: [], project: [] };
    if (!terms.length) return found;
    const last = terms[terms.length - 1];
    for (const entry of entries) {
      const [low, start, kind, position] = entry;
      if (!terms.every((term) => low.includes(term))) {
        if (kind !== "project" || !(P.id[position] === query || terms.every((term) => (text(P.owner[position]) ?? "").includes(term)))) continue;
      }
      // A column answers when its own name is meant, not for its table's name alone.
      const at = low.lastIndexOf(last);
      if (kind === "column" && at + last.length <= start) continue;
      const own = low.slice(start);
      const rank = low === last || own === last ? 0 : at === start || low.endsWith(`.${last}`) ? 1 : /[a-z0-9]/.test(low[at - 1] ?? " ") ? 3 : 2;
      found[kind].push([rank, entry]);
    }
    for (const kind of Object.keys(found)) {
      found[kind].sort((a, b) => a[0] - b[0] || b[1][5] - a[1][5] || (a[1][0] < b[1][0] ? -1 : 1));
      found[kind] = found[kind].map(([, e]) => ({ kind, position: e[3], column: e[4], weight: e[5] }));
    }
    return found;
  }

  const edge = (i) => ({
    project: E.project[i], table: E.table[i], cell: text(E.cell[i]), column: text(E.column[i]), write: !!E.write[i],
    usage: bits(E.usage[i], USAGES), outputs: E.outputs[i].map(text), queries: E.queries[i], first: E.first[i], last: E.last[i],
    users: E.users[i].map(text), contexts: E.contexts[i].map(text), sample: text(E.sample[i]),
    evidence: bits(E.evidence[i], EVIDENCE), partial: !!E.partial[i],
  });

  // Edges folded to one row per project (or table) with its cells. Counts come from the cell's own
  // row of the table, or of the column when one is chosen: column rows of one query never add up.
  function fold(indices, by, { column = null, usages = [] } = {}) {
    const rows = new Map();
    for (const i of indices) {
      const e = edge(i), id = e[by];
      if (!rows.has(id)) rows.set(id, new Map());
      const cells = rows.get(id), key = `${e.cell}|${e.table}|${e.project}`;
      if (!cells.has(key)) cells.set(key, { cell: e.cell, project: e.project, table: e.table, base: null, columns: [] });
      if (e.column === null) cells.get(key).base = e; else cells.get(key).columns.push(e);
    }
    const result = [];
    for (const [id, cells] of rows) {
      const kept = [];
      for (const cell of cells.values()) {
        const columns = cell.columns.filter((c) => (column === null || c.column === column) && (!usages.length || c.usage.some((u) => usages.includes(u))));
        if ((column !== null || usages.length) && !columns.length) continue;
        const counted = column !== null || !cell.base ? columns : [cell.base];
        kept.push({ ...cell, columns, ...merged(counted), usage: USAGES.filter((u) => columns.some((c) => c.usage.includes(u))),
          outputs: [...new Set(columns.flatMap((c) => c.outputs))] });
      }
      if (kept.length) result.push({ id, cells: kept, ...merged(kept, true), usage: USAGES.filter((u) => kept.some((c) => c.usage.includes(u))),
        columns: [...new Set(kept.flatMap((c) => c.columns.map((k) => k.column)))] });
    }
    return result.sort((a, b) => b.queries - a.queries);
  }
  function merged(list, add) {
    const all = (name) => [...new Set(list.flatMap((e) => e[name]))];
    const counts = list.map((e) => e.queries);
    return { queries: add ? counts.reduce((a, b) => a + b, 0) : Math.max(0, ...counts), first: Math.min(...list.map((e) => e.first)),
      last: Math.max(...list.map((e) => e.last)), users: all("users"), contexts: all("contexts"), evidence: all("evidence"),
      partial: list.some((e) => e.partial), sample: list[0]?.sample ?? null };
  }
  const readsOf = (list) => list.filter((i) => !E.write[i]), writesOf = (list) => list.filter((i) => E.write[i]);

  // Neighbours of a node of the graph, the busiest first.
  function neighbours(kind, position) {
    const found = new Map();
    for (const i of kind === "table" ? ofTable[position] : ofProject[position]) {
      if (E.column[i] >= 0) continue;
      const other = kind === "table" ? E.project[i] : E.table[i], key = `${other}|${E.write[i]}`;
      if (!found.has(key)) found.set(key, { kind: kind === "table" ? "project" : "table", position: other, write: !!E.write[i], queries: 0 });
      found.get(key).queries += E.queries[i];
    }
    return [...found.values()].sort((a, b) => b.queries - a.queries);
  }
  return { T, P, E, S, meta, cellAt, text, ofTable, ofProject, readers, writers, tableQueries, tableLast, tableAt, projectAt, search, fold, readsOf, writesOf, neighbours };
}
