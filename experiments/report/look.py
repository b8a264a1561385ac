"""How a report looks: light and dark as the reader's system is, from a phone to a wide screen."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f5f6f8; --ink: #1c1f24; --muted: #5b6470; --rule: #d9dde3; --accent: #0b5fa5;
  --mark: #fff0b8; --warn: #fff4e5; --warn-rule: #d55e00;
  --c0: #0072b2; --c1: #d55e00; --c2: #00825f; --c3: #b0518a; --c4: #9a6b00; --c5: #2b8cc4; --c6: #444c56;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1d2127; --ink: #e7eaee; --muted: #a3adb8; --rule: #363c45; --accent: #78b8f0;
    --mark: #57470b; --warn: #33261a; --warn-rule: #e8853a;
    --c0: #5ab0ee; --c1: #f08a4b; --c2: #35c39b; --c3: #e39cc6; --c4: #e3b341; --c5: #8fd0f7; --c6: #c3cad2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.25rem clamp(0.9rem, 3vw, 2.5rem) 4rem; max-width: 84rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: clamp(1.45rem, 4vw, 2rem); line-height: 1.2; margin: 0.4rem 0; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.8rem; border-bottom: 1px solid var(--rule); padding-bottom: 0.3rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.6rem; }
a { color: var(--accent); }
code, pre { font: 0.86em/1.5 ui-monospace, monospace; }
pre { overflow: auto; max-height: 28rem; padding: 0.8rem; background: var(--panel); border-radius: 8px; overflow-wrap: normal; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; padding: 0; margin: 0.8rem 0; list-style: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
svg[tabindex] { touch-action: pan-y; }
.muted { color: var(--muted); }
.small { display: block; color: var(--muted); font-size: 0.84rem; font-weight: 400; line-height: 1.35; }
.problems {
  margin: 1rem 0; padding: 0.6rem 1rem; background: var(--warn); border-left: 4px solid var(--warn-rule);
  border-radius: 6px;
}
.problems p { margin: 0.3rem 0; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 0.8rem; padding: 0;
  list-style: none;
}
.cards li { display: flex; flex-direction: column; background: var(--panel); border-radius: 10px; padding: 0.8rem 1rem; }
.cards strong { font-size: 1.7rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: 0.2rem 1.2rem; margin: 0.8rem 0; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.93rem; }
caption { text-align: left; color: var(--muted); padding-bottom: 0.4rem; }
th, td {
  text-align: left; vertical-align: top; padding: 0.4rem 1.2rem 0.4rem 0; border-bottom: 1px solid var(--rule);
  overflow-wrap: normal;
}
td { min-width: 9.5rem; max-width: 26rem; }
td code { overflow-wrap: anywhere; }
tbody th { font-weight: 600; min-width: 9rem; max-width: 22rem; }
.interval { display: block; color: var(--muted); white-space: nowrap; font-size: 0.86rem; }
thead th { overflow-wrap: anywhere; min-width: 8rem; }
thead th:first-child, tbody th { position: sticky; left: 0; background: var(--paper); }
.number { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
mark {
  background: var(--mark); color: inherit; border-radius: 4px; padding: 0.05rem 0.25rem; box-decoration-break: clone;
  -webkit-box-decoration-break: clone;
}
.whisker { display: block; width: 7.5rem; height: 10px; margin-top: 0.25rem; }
.config { border-top: 1px solid var(--rule); padding: 0.4rem 0 1.4rem; }
.config figure { max-width: 44rem; }
.plot { min-width: 0; margin: 0.6rem 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.2rem; }
.gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.4rem;
  align-items: start;
}
figure { margin: 0; min-width: 0; }
.wide { grid-column: 1 / -1; }
figcaption { font-size: 0.92rem; margin: 0.25rem 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: #fff; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--muted); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.band { opacity: 0.18; stroke: none; }
.stage { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 2 4; }
.cursor { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 3 3; }
.reading {
  display: block; min-height: 1.4em; font-size: 0.84rem; color: var(--muted); font-variant-numeric: tabular-nums;
  white-space: pre-line;
}
.legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; padding: 0; list-style: none; }
.swatch {
  display: inline-block; width: 1.6rem; height: 0.3rem; margin-right: 0.45rem; vertical-align: middle;
  border-radius: 2px;
}
[role=tablist] { display: flex; flex-wrap: wrap; gap: 0.3rem; margin: 0.8rem 0; }
[role=tab], .play {
  flex: none;
  font: inherit; color: inherit; padding: 0.4rem 0.9rem; border: 1px solid var(--rule); border-radius: 999px;
  background: var(--panel); cursor: pointer;
}
[role=tab][aria-selected=true] { background: var(--accent); border-color: var(--accent); color: var(--paper); }
[role=tabpanel][hidden], .frame[hidden] { display: none; }
.enlarge { display: block; padding: 0; border: 0; background: none; cursor: zoom-in; width: 100%; }
.enlarge img { width: 100%; }
.stack { position: relative; touch-action: pan-y; cursor: ew-resize; user-select: none; }
.stack img, .frame img { width: 100%; }
.over { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--cut, 50%)) 0 0); }
.over img { height: 100%; }
.stack::after {
  content: ""; position: absolute; top: 0; bottom: 0; left: var(--cut, 50%); border-left: 2px solid #fff;
  box-shadow: 0 0 3px #000;
}
input[type=range] { width: 100%; min-width: 0; height: 1.9rem; margin: 0.3rem 0; accent-color: var(--accent); }
.ends, .bar { display: flex; justify-content: space-between; gap: 0.8rem; align-items: center; font-size: 0.88rem; }
.bar output { white-space: nowrap; min-width: 6em; text-align: right; font-variant-numeric: tabular-nums; }
dialog {
  border: 0; padding: 0; width: 100vw; height: 100vh; max-width: none; max-height: none; background: var(--paper);
  overflow: auto;
}
dialog button { position: sticky; top: 0.5rem; left: 0.5rem; margin: 0.5rem; }
dialog img { max-width: none; border-radius: 0; }
@media (max-width: 40rem) {
  .facts { display: block; }
  .facts dt { margin-top: 0.6rem; font-size: 0.88rem; }
  tbody th { min-width: 8.5rem; max-width: 9.5rem; overflow-wrap: anywhere; }
  td { min-width: 8rem; max-width: 17rem; }
}
@media print { nav, .bar, input { display: none; } }
""" + "".join(
    f".line.s{i} {{ stroke: var(--c{i}); }} .dot.s{i}, .band.s{i} {{ fill: var(--c{i}); }} "
    f".swatch.s{i} {{ background: var(--c{i}); }}\n"
    for i in range(7)
)
