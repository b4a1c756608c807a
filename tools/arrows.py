"""Draws which folder of src/ includes which, and points at an arrow that goes up the map.

The map is the order of LAYERS in the Makefile. Exit code 1 if a folder includes one below it, or if within a folder of WITHOUT_CIRCLES
files need each other in a circle: a file is its header and its body together, tests apart.
"""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
layers = re.search(r"^LAYERS := (.*)$", (root / "Makefile").read_text(), re.M).group(1).split()
rank = {name: i for i, name in enumerate(layers)}
edges, wrong = {}, []
WITHOUT_CIRCLES = ["base", "net", "wire", "row", "plan", "keys", "table", "query"]


def circle(needs):
    """Files that need each other, one after the other; [] if there are none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done:
            return []
        path.append(name)
        for other in sorted(needs.get(name, ())):
            found = visit(other)
            if found:
                return found
        done.add(path.pop())
        return []

    return next((found for found in map(visit, sorted(needs)) if found), [])


for folder in WITHOUT_CIRCLES:
    needs = {}
    for path in (root / "src" / folder).glob("*.[ch]*"):
        if path.stem.endswith(("_test", "_fuzz")):
            continue
        for name in re.findall(rf'^#include "{folder}/(\w+)\.h"', path.read_text(), re.M):
            if name != path.stem:
                needs.setdefault(path.stem, set()).add(name)
    found = circle(needs)
    if found:
        wrong.append(f"src/{folder}: files need each other: " + " -> ".join(found))
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in {".c", ".h", ".cc", ".re", ".y"}:
        continue
    folder = path.relative_to(root / "src").parts[0]
    if folder not in rank:
        wrong.append(f"{path.relative_to(root)}: folder {folder} is not on the map")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include "([a-z]+)/', line)
        if not found or found.group(1) not in rank or found.group(1) == folder:
            continue
        edges.setdefault(folder, {}).setdefault(found.group(1), 0)
        edges[folder][found.group(1)] += 1
        if rank[found.group(1)] > rank[folder]:
            wrong.append(f"{path.relative_to(root)}:{number}: {folder} includes {found.group(1)}, which is below it")
for folder in layers:
    if folder in edges:
        print(f"{folder:8} -> " + ", ".join(f"{to} ({n})" for to, n in sorted(edges[folder].items(), key=lambda e: rank[e[0]])))
for line in wrong:
    print("WRONG:", line)
print(f"{sum(len(e) for e in edges.values())} arrows, {len(wrong)} against the map")
sys.exit(1 if wrong else 0)
