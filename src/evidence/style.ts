/** How the page looks: on a screen in the scheme of the reader, on paper in black on white with the heads of tables repeated. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1b2228; --faint: #59656f; --line: #d8dee3; --panel: #f4f6f8;
  --good: #12703a; --good-panel: #e6f4ea; --bad: #b3161d; --bad-panel: #fdeaea; --warn: #865300; --warn-panel: #fdf3dd;
  --link: #0b57a4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181c; --text: #e4e8eb; --faint: #9ba7b1; --line: #343d45; --panel: #1d2328;
    --good: #6fd394; --good-panel: #16301f; --bad: #ff8f8f; --bad-panel: #3a1a1c; --warn: #f0c169; --warn-panel: #352a14;
    --link: #86bdf5;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; max-width: 62rem; }
ul { margin: .4rem 0; padding-left: 1.2rem; max-width: 62rem; }
a { color: var(--link); }
section { margin-top: 2.6rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
.faint { color: var(--faint); }
.verdict { margin: 1.2rem 0; padding: .8rem 1rem; border-left: 4px solid; border-radius: 4px; }
.verdict p { margin: 0; }
.verdict.good { color: var(--good); background: var(--good-panel); border-color: var(--good); }
.verdict.bad { color: var(--bad); background: var(--bad-panel); border-color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 1.2rem 0; padding: 0; }
.figures div { padding: .7rem .9rem; background: var(--panel); border-radius: 6px; }
.figures dt { color: var(--faint); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; }
nav ol { columns: 2; margin: .6rem 0 0; padding-left: 1.4rem; }
.controls { margin: .2rem 0 .6rem; font-size: .82rem; color: var(--faint); }
.controls span { display: inline-block; margin: 0 .9rem .1rem 0; }
.controls b { font-weight: 600; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; line-height: 1.4; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: break-word; }
td.name { font-family: ui-monospace, monospace; font-size: .95em; min-width: 14.5em; max-width: 26em; overflow-wrap: anywhere; }
td.text { min-width: 13.5em; max-width: 30em; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-family: ui-monospace, monospace; font-size: .88em; overflow-wrap: anywhere; }
.mark { display: inline-block; padding: 0 .45em; border-radius: 4px; font-size: .92em; font-weight: 600; white-space: nowrap; color: var(--faint); background: var(--panel); }
.mark.bad { color: var(--bad); background: var(--bad-panel); }
.mark.warn { color: var(--warn); background: var(--warn-panel); }
.mark.good { color: var(--good); background: var(--good-panel); }
td:last-child, th:last-child { padding-right: 0; }
@media (max-width: 40rem) { .figures { grid-template-columns: 1fr 1fr; } nav ol { columns: 1; } main { padding: 1.2rem 1rem 3rem; } }
@page { size: A4 landscape; margin: 14mm 12mm; }
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --text: #000000; --faint: #444444; --line: #bbbbbb; --panel: #f2f2f2;
    --good: #0b5a2c; --good-panel: #e6f4ea; --bad: #99070e; --bad-panel: #fdeaea; --warn: #6b4200; --warn-panel: #fdf3dd;
    --link: #000000;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  a { text-decoration: none; }
  section { margin-top: 1.4rem; }
  .wide { overflow: visible; }
  table { font-size: 8.5pt; }
  thead { display: table-header-group; }
  tr, .figures div, .verdict { break-inside: avoid; }
  h2, h3, .controls { break-after: avoid; }
  .mark, .verdict, .figures div { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
