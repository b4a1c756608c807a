"""Draws which folder of src/ includes which, points at an arrow that goes up the map, and holds the READMEs of src/ to what is there.

The map is the order of LAYERS in the Makefile. Exit code 1 if a folder includes one below it, or if within a folder of WITHOUT_CIRCLES
files need each other in a circle: a file is its header and its body together, tests apart. Or if a README of src/ leaves a file of its
folder unnamed, says otherwise than the arrows who uses whom, or names a file or function that is not there. In src/README.md a `function()`
is looked for in the file that was named last before it.
"""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
layers = re.search(r"^LAYERS := (.*)$", (root / "Makefile").read_text(), re.M).group(1).split()
rank = {name: i for i, name in enumerate(layers)}
edges, wrong = {}, []
WITHOUT_CIRCLES = ["base", "net", "wire", "row", "plan", "keys", "iam", "table", "identity", "query", "api", "control"]


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


# ---- the READMEs ----

FILE = re.compile(r"(?<![\w/.*])[\w/]+\.(?:cc|re|inc|mk|py|toml|java|cql|expected|txt|md|c|h|y)(?![\w*])")
MADE = {"lexer.inc", "build/gen/cql/grammar.inc", "X.c", "X.h", "X_test.c", "X_fuzz.c"}  # by make; examples of names
SOURCES = {".c", ".h", ".cc", ".y", ".re"}
files = {path.relative_to(root).as_posix() for top in ("src", "tests", "tools", "docs", "bench") for path in (root / top).rglob("*")
         if path.is_file()}


def find(name, folder):
    """The files that a README of this folder may mean by a name."""
    near = f"{folder}/{name}"
    for full in (near, f"src/{name}", name):
        if full in files:
            return [full]
    return [file for file in files if file.endswith("/" + name)]


def both(file):
    """A header and its body."""
    stem = file.rpartition(".")[0]
    return [other for other in (stem + ".h", stem + ".c", stem + ".cc") if other in files]


def is_test(path):
    return path.stem.endswith(("_test", "_fuzz", "bed"))


def is_named(path, text):
    """By itself; X.c also by X.h, and the test of X by either."""
    stem = path.stem.removesuffix("_test").removesuffix("_fuzz")
    others = (f"{stem}.{ending}" for ending in ("h", "c", "cc", "y", "re"))
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in (path.name, *others))


def check_functions(text, where):
    """A function is defined or declared in the file that was named last before it, or in its header or body."""
    last = []
    for found in re.finditer(rf"`({FILE.pattern})`|`(\w+)\(\)`", text):
        if found.group(1):
            last = [other for file in find(found.group(1), "src") for other in both(file)]
            continue
        begins = re.compile(rf"^\w[^;={{\n]*\b{found.group(2)}\(", re.M)
        if not any(begins.search((root / file).read_text()) for file in last):
            wrong.append(f"{where}: {found.group(2)}() is not in {', '.join(last) or 'a file that was named before'}")


def folders_of(sentence):
    if "every folder" in sentence:
        return set(folders)
    return {word for word in re.findall(r"\w+", re.sub(r"\(.*?\)", "", sentence)) if word in folders}


folders = {path.name for path in (root / "src").iterdir() if path.is_dir() and any(path.rglob("*.[ch]"))}  # models alone include nothing
uses, used_by = {}, {}  # tests apart
for path in (root / "src").rglob("*.*"):
    folder = path.relative_to(root / "src").parts[0]
    if path.suffix not in SOURCES or is_test(path):
        continue
    for other in re.findall(r'^\s*#\s*include "([a-z]+)/', path.read_text(), re.M):
        if other in rank and other != folder:
            uses.setdefault(folder, set()).add(other)
            used_by.setdefault(other, set()).add(folder)
for readme in sorted((root / "src").rglob("README.md")):
    text, where, folder = readme.read_text(), readme.relative_to(root).as_posix(), readme.relative_to(root).parent.as_posix()
    wrong += [f"{where}: there is no {name}" for name in sorted(set(FILE.findall(text)))
              if name not in MADE and not find(name, folder)]
    if folder == "src":
        check_functions(text, where)
        continue
    wrong += [f"{where} does not name {path.name}" for path in sorted(readme.parent.iterdir())
              if path.suffix in SOURCES and not is_named(path, text)]
    said = re.search(r"^Uses (.*?)\. Used by (.*?)\.(?=\s)", text, re.M)
    name = folder.removeprefix("src/")
    if name not in rank:
        continue
    if not said or folders_of(said.group(1)) != uses.get(name, set()):
        wrong.append(f"{where}: it uses " + ", ".join(sorted(uses.get(name, ()), key=rank.get)))
    if not said or folders_of(said.group(2)) - {name} != used_by.get(name, set()):
        wrong.append(f"{where}: it is used by " + ", ".join(sorted(used_by.get(name, ()), key=rank.get)))
for page in ["README.md", *sorted(f"docs/{path.name}" for path in (root / "docs").glob("*.md"))]:
    named = re.findall(r"(?<![\w./])(?:src|tests|tools|docs)/[\w/]+\.\w+", (root / page).read_text())
    wrong += [f"{page}: there is no {name}" for name in sorted(set(named)) if name not in files]

for folder in layers:
    if folder in edges:
        print(f"{folder:8} -> " + ", ".join(f"{to} ({n})" for to, n in sorted(edges[folder].items(), key=lambda e: rank[e[0]])))
for line in wrong:
    print("WRONG:", line)
print(f"{sum(len(e) for e in edges.values())} arrows, {len(wrong)} against the map")
sys.exit(1 if wrong else 0)
