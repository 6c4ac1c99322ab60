"""The results as one page that needs nothing else: plots in SVG, in light and dark, the tables below them."""
import html
import math
import re

from harness import model, text

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5c6370; --line: #d5d8dd; --ground: #fff; --bar: #9aa7b8;
  --ours: #1f6feb; --good: #1a7f37; --bad: #b3261e; --second: #9a6700; --third: #8250df; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --soft: #9aa2ad; --line: #3a3f47; --ground: #16181c;
  --bar: #5d6978; --ours: #6ea8fe; --good: #57c27a; --bad: #ff8a80; --second: #d9b44a; --third: #c39bff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem }
p { margin: .4rem 0; max-width: 75ch } .soft { color: var(--soft); font-size: .9rem }
svg { width: 100%; height: auto; max-width: 56rem; display: block; margin: .75rem 0 }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) } svg .dim { fill: var(--soft) }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 } td, th { padding: .2rem .7rem .2rem 0;
  border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left } th { font-weight: 600; color: var(--soft) }
.good { color: var(--good) } .bad { color: var(--bad) } details { margin: .5rem 0 } summary { cursor: pointer }
.wide { overflow-x: auto } pre { white-space: pre-wrap }
"""
WIDTH, LEFT, RIGHT, ROW = 760, 290, 90, 30
COLOURS = {"dump": "--ours", "copy": "--second", "verify": "--third"}


def prose(words):
    """A docstring: what stands between backquotes is code, and an empty line begins a paragraph."""
    coded = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(words))
    return "".join(f"<p class=soft>{each}</p>" for each in coded.split("\n\n"))


def is_ours(result, name):
    return "pgorch" in result["contenders"][name]


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def label(words, y, limit=44):
    short = words if len(words) <= limit else words[:limit - 1] + "…"
    return (f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{html.escape(short)}'
            f"<title>{html.escape(words)}</title></text>")


def bars(result):
    """Wall time of each contender: the median as a bar, each round as a dot."""
    walls = {name: [each[name]["wall"] for each in result["rounds"] if name in each] for name in result["contenders"]}
    walls = {name: each for name, each in walls.items() if each}
    most = max(max(each) for each in walls.values()) or 1
    scale = (WIDTH - LEFT - RIGHT) / most
    parts = []
    for i, (name, values) in enumerate(walls.items()):
        y, colour = i * ROW + 6, "--ours" if is_ours(result, name) else "--bar"
        parts.append(label(result["contenders"][name], y + 14))
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{median(values) * scale:.1f}" height="18" rx="2" '
                     f'fill="var({colour})"/>')
        parts += [f'<circle cx="{LEFT + each * scale:.1f}" cy="{y + 9}" r="3.5" fill="var(--ground)" '
                  'stroke="var(--ink)"/>' for each in values]
        parts.append(f'<text x="{LEFT + max(values) * scale + 10:.1f}" y="{y + 14}">{median(values):.1f} s</text>')
    return svg(parts, len(walls) * ROW + 8, "Wall time of each, in seconds")


def strip(result):
    """Each ratio with a goal: every round as a dot, and the goal as a line."""
    ratios = [each for each in result["ratios"] if each["goal"] is not None]
    if not ratios or not result.get("rounds"):
        return ""
    parts = []
    for i, ratio in enumerate(ratios):
        y = i * ROW + 6
        scale = (WIDTH - LEFT - RIGHT) / (max(ratio["largest"], ratio["goal"]) * 1.15 or 1)
        colour, goal = "--good" if ratio["reached"] else "--bad", LEFT + ratio["goal"] * scale
        parts.append(label(ratio["name"], y + 14))
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y + 9}" y2="{y + 9}" stroke="var(--line)"/>')
        parts.append(f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{y}" y2="{y + 18}" stroke="var(--ink)" '
                     'stroke-width="2"/>')
        parts.append(f'<text class="dim" x="{goal + 4:.1f}" y="{y + 8}">{ratio["goal"]:g}</text>')
        parts += [f'<circle cx="{LEFT + each * scale:.1f}" cy="{y + 9}" r="5" fill="var({colour})" '
                  'fill-opacity=".75"/>' for each in ratio["values"]]
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 14}">{ratio["median"]:.3f}</text>')
    return svg(parts, len(ratios) * ROW + 8, "Ratios against their goals")


def curve_plot(curves):
    """Seconds against size, both as logarithms: a straight line of slope 1 is linear growth."""
    height, points = 300, [point for each in curves for point in each["points"]]
    (x0, x1), (y0, y1) = [(math.log10(min(values)), math.log10(max(values)))
                          for values in ([p[0] for p in points], [p[1] for p in points])]
    y0, y1 = math.floor(y0), math.ceil(y1)

    def at(x, y):
        return (60 + (math.log10(x) - x0) / ((x1 - x0) or 1) * (WIDTH - 160),
                height - 30 - (math.log10(y) - y0) / ((y1 - y0) or 1) * (height - 50))

    parts = []
    for power in range(y0, y1 + 1):
        y = at(10 ** x0, 10 ** power)[1]
        parts.append(f'<line x1="60" x2="{WIDTH - 100}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
                     f'<text class="dim" x="52" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:g} s</text>')
    for x in sorted({p[0] for p in points}):
        parts.append(f'<text class="dim" x="{at(x, 1)[0]:.1f}" y="{height - 8}" text-anchor="middle">{x:g}</text>')
    for each in curves:
        colour, places = f"var({COLOURS[each['name']]})", [at(*point) for point in each["points"]]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" style="fill:{colour}">{each["name"]} '
                     f'(^{each["last"]:.2f})</text>')
    return svg(parts, height, f"Seconds against {curves[0]['of']}")


def svg(parts, height, title):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}"><title>{title}</title>'
            + "".join(parts) + "</svg>")


def ratio_table(result):
    rows = []
    for each in result["ratios"]:
        kind = "" if each["reached"] is None else "good" if each["reached"] else "bad"
        digits = 0 if each["unit"] else 3
        rows.append(f"<tr><td>{html.escape(each['name'])}</td><td>{each['median']:.{digits}f}{each['unit']}</td>"
                    f"<td>{each['least']:.{digits}f} – {each['largest']:.{digits}f}</td>"
                    f'<td class="{kind}">{html.escape(text.verdict(each)) or "–"}</td></tr>')
    return ("<table><tr><th>ratio</th><th>median</th><th>least – largest</th><th>goal</th></tr>" + "".join(rows)
            + "</table>")


def raw_table(result):
    rows = []
    for i, each in enumerate(result["rounds"], 1):
        for name, sample in each.items():
            cells = [f"{sample['wall']:.2f}", f"{sample['cpu']:.2f}", f"{sample['server_cpu']:.2f}",
                     f"{sample['own_peak'] / 1e6:.1f}" if sample["own_peak"] else "–",
                     f"{sample['tree_peak'] / 1e6:.1f}",
                     f"{sample['bytes'] / 1e6:.1f}" if sample.get("bytes") else "–"]
            filled = "".join(f"<td>{cell}</td>" for cell in cells)
            rows.append(f"<tr><td>{i} {html.escape(name)}</td>{filled}</tr>")
    heads = "".join(f"<th>{each}</th>" for each in ("round", "wall s", "client CPU s", "server CPU s", "peak MB",
                                                    "tree peak MB", "MB written"))
    return (f'<details><summary>Raw times</summary><div class="wide"><table><tr>{heads}</tr>' + "".join(rows)
            + "</table></div></details>")


def of_figure(result):
    parts = [f"<h2>{html.escape(result['title'])}</h2>", prose(result["about"])]
    if "failed" in result:
        return "".join(parts) + f"<p class=bad>Failed:</p><pre>{html.escape(result['failed'][:2000])}</pre>"
    for name, why in result.get("failures", {}).items():
        parts.append(f"<p class=bad>{html.escape(name)} failed:</p><pre>{html.escape(why[:2000])}</pre>")
    if any(result.get("rounds", [])):
        parts += [bars(result), strip(result)]
    if result.get("curves"):
        parts.append(curve_plot(result["curves"]))
    if result.get("ratios"):
        parts.append(ratio_table(result))
    if result.get("rounds"):
        parts.append(raw_table(result))
    return "".join(parts) + "".join(f"<p class=soft>{html.escape(each)}</p>" for each in result.get("notes", []))


def on_paper(report):
    said = model.lines(report)
    if not said:
        return ""
    return (f"<h2>On paper: {model.SIZE_GB} GB, {model.CORES} + {model.CORES} cores, 1 Gbit/s</h2>"
            + prose(model.__doc__) + "".join(f"<p>{html.escape(each)}</p>" for each in said))


def of_report(report):
    about = report["machine"]
    said = (f"{about['date']} · {about['pgorch']} · {about['cores']} cores ({about['processor']}), "
            f"{about['memory_gb']} GB, load {about['load_at_start']:.1f} at the start · database of {report['size_mb']} MB · "
            f"{report['rounds']} rounds · {about['pg_dump']} · {about['pgcopydb']} · {about['aws']} · {about['curl']}")
    return ('<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>pgorch benchmarks</title><style>{STYLE}</style><h1>pgorch benchmarks</h1>"
            f"<p class=soft>{html.escape(said)}</p><p>Servers, clients and object storage share this machine's cores. A "
            "ratio is taken within a round, in which each contender runs once; its median counts. Bars are medians, circles "
            "rounds; pgorch's are coloured, the mark on a ratio's line is its goal.</p>"
            + "".join(of_figure(each) for each in report["figures"]) + on_paper(report) + "</html>\n")
