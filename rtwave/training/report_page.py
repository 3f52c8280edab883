"""The frame of the report: styles for light and dark, nothing from outside."""

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: what was found</title>
<style>
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #fff; --ink: #23211e; --quiet: #77716a; --line: #e4e0da;
  --accent: #3d6fd8; --amber: #c77800; --red: #c93a32; --green: #2e8b57; --white-key: #fff; --black-key: #4a4642; }
@media (prefers-color-scheme: dark) { :root { --paper: #191817; --card: #22211f; --ink: #ece8e2; --quiet: #9c958c;
  --line: #383532; --accent: #7fa6f8; --amber: #f0a63c; --red: #f0736b; --green: #62c48f; --white-key: #cfc9c1;
  --black-key: #191817; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.2rem 1.2rem 4rem; max-width: 1060px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .7rem; letter-spacing: -.01em; }
h2 { font-size: 1.08rem; margin: 0; }
p { margin: .1rem 0 .5rem; color: var(--quiet); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.2rem 1rem;
  margin-top: 1rem; position: relative; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; }
.facts { display: flex; flex-wrap: wrap; gap: .4rem 1.9rem; color: var(--quiet); margin-bottom: 1.1rem; }
.facts b { display: block; font-size: 1.3rem; line-height: 1.25; color: var(--ink); font-weight: 600; }
.verdict { border-radius: 12px; padding: .9rem 1.2rem; border: 1px solid; border-left-width: 6px;
  background: var(--card); }
.verdict ul { margin: .35rem 0 0; padding-left: 1.15rem; } .verdict li { margin: .15rem 0; overflow-wrap: anywhere; }
.good { border-color: var(--green); } .doubtful { border-color: var(--amber); } .bad { border-color: var(--red); }
.good h2 { color: var(--green); } .doubtful h2 { color: var(--amber); } .bad h2 { color: var(--red); }
.legend { position: absolute; top: 1.05rem; right: 1.2rem; color: var(--quiet); font-size: 13px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 6px; margin: 0 .35rem 0 .7rem; }
.legend i.ramp { width: 90px; border-radius: 5px;
  background: linear-gradient(90deg, hsl(225 75% 58%), hsl(307 75% 58%), hsl(390 75% 58%)); }
.grid { stroke: var(--line); fill: none; }
.white, .black { stroke: var(--quiet); stroke-width: .5; } .white { fill: var(--white-key); }
.black { fill: var(--black-key); }
.bar { fill: var(--accent); fill-opacity: .8; } .weak { fill: var(--amber); }
.note { fill: var(--accent); fill-opacity: .42; } .unsure { fill: var(--amber); fill-opacity: .7; }
.gap { fill: var(--red); fill-opacity: .13; }
.level, .contour { fill: none; stroke: var(--accent); stroke-width: 1.4; }
.contour { stroke: var(--ink); stroke-width: 1; }
.wave { fill: var(--accent); fill-opacity: .75; } .onset { stroke: var(--red); stroke-width: 1.4; }
.strips { display: grid; grid-template-columns: repeat(auto-fill, minmax(225px, 1fr)); gap: .7rem; }
.strip { border: 1px solid var(--line); border-radius: 8px; padding: .35rem .6rem .45rem; min-width: 0; }
.strip.odd { border-color: var(--amber); } .strip b, .strip span { display: block; font-size: 12.5px;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.strip span { color: var(--quiet); } .strip.odd span { color: var(--amber); white-space: normal; }
details { border-top: 1px solid var(--line); padding: .35rem 0; } summary { cursor: pointer; }
details ul { margin: .3rem 0; padding-left: 1.1rem; font-size: 13px; max-height: 26rem; overflow: auto; }
details li { overflow-wrap: anywhere; } details span { color: var(--quiet); margin-left: .7rem; }
</style></head><body>
{body}
</body></html>
"""
