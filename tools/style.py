#!/usr/bin/env python3
"""What the sources look like, in figures: a table of the folders of src/, and exit code 1 if one is below its floor.

    style.py [--long] [--folder NAME] [--self-test] [ROOT]

Counted are .c, .cc, .y and .re files, without tests, fuzzers and tests' beds. The columns:

    lines      of those files, blank ones too
    comments   share of lines that are nothing but comment, in %; a comment behind code does not count
    no head    files that do not begin with a comment that says what the file is for
    asserts    assert(, static_assert( and debug_assert( for 1000 lines
    long       functions of more than 60 lines, from the name to the closing brace, which LONG does not list with a reason
    wide       lines over the columns that clang-format is told
    circles    groups of files that need each other: X.c and X.h are one file, which needs Y if it includes Y.h, or names a function or
               a table that Y.c defines for others. What is included as text (grammar.inc) is one with the file that includes it.

With --folder only that folder is judged; with --long each file has a line, which shows where words and asserts are missing, and the
circles that are allowed are told. The self test copies src/, sabotages the copy, and demands that each sabotage is told.
"""
import argparse
import pathlib
import re
import shutil
import sys
import tempfile

COMMENTS_FLOOR = 11.0
FUNCTION_LINES = 60
ASSERTS_FLOOR = {"base": 16, "net": 20, "types": 8, "wire": 12, "cql": 8, "schema": 12, "row": 20, "plan": 20, "keys": 12, "iam": 12, "store": 20,
                 "table": 20, "catalog": 17, "auth": 10, "identity": 17, "query": 20, "api": 12, "control": 12, "server": 12}
WITHOUT_CIRCLES = {"base", "net", "wire", "row", "plan", "keys", "iam", "table", "identity", "query"}
# Functions that may be longer than FUNCTION_LINES: why it is better in one piece.
LONG = {
    "cql/lexer.re:lex_raw": "re2c's rules are one table, of which it makes one automaton",
    "cql/lex.c:word_of": "one flat switch, a line for each keyword, to be compared with Cassandra's lists of words",
    "types/value_key.c:encode": "one short case for each type, in one switch that the compiler checks",
    "types/value_key.c:decode": "one short case for each type, in one switch that the compiler checks",
    "types/value_parse.c:value_parse_text": "one short case for each type, in one switch that the compiler checks",
}

BODIES = (".c", ".cc", ".y", ".re")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "typedef", "struct", "enum", "union", "defined", "static_assert"}


def is_test(path):
    return path.stem.endswith(("_test", "_fuzz")) or path.stem in ("bed", "row_bed")


def split(text):
    """(code, comment): the text twice, with blanks in place of what is the other's; strings' insides are blank in both."""
    code, comment = [], []
    at, end = 0, len(text)
    token = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
    blank = re.compile(r"[^\n]")
    while at < end:
        found = token.search(text, at)
        stop = found.start() if found else end
        code.append(text[at:stop])
        comment.append(blank.sub(" ", text[at:stop]))
        if not found:
            break
        piece = found.group()
        is_comment = piece.startswith(("/*", "//"))
        # An included name is the one string whose inside is asked for.
        if not is_comment and re.search(r"#\s*include\s*$", text[max(0, stop - 20):stop]):
            code.append(piece)
        else:
            code.append(blank.sub(" ", piece) if is_comment else piece[0] + blank.sub(" ", piece[1:-1]) + piece[-1])
        comment.append(piece if is_comment else blank.sub(" ", piece))
        at = found.end()
    return "".join(code), "".join(comment)


class File:
    def __init__(self, path, folder):
        self.path = path
        self.name = str(path.relative_to(folder))
        self.node = str(path.relative_to(folder).with_suffix(""))
        self.text = path.read_text()
        self.code, comment = split(self.text)
        self.lines = self.text.splitlines()
        words = comment.splitlines()
        code = self.code.splitlines()
        self.comments = sum(1 for i in range(len(words)) if words[i].strip() and not code[i].strip())
        self.asserts = len(re.findall(r"\b(?:(?:_S|s)tatic_|debug_)?assert\s*\(", self.code))
        self.headless = not self.text.startswith(("/*", "//"))
        self.includes = re.findall(r'^[ \t]*#[ \t]*include "([^"]+)"', self.code, re.M)
        self.functions = self.find_functions()

    def find_functions(self):
        """[(name, is static, first line, lines)]: a name and a bracket at the first column, a brace at the first column, one that closes."""
        found, lines, i = [], self.code.splitlines(), 0
        while i < len(lines):
            head = re.match(r"(?:[A-Za-z_][\w\s*:,<>]*?[\s*])(\w+)\(", lines[i])
            if not head or head.group(1) in KEYWORDS or lines[i].startswith(("#", "typedef")):
                i += 1
                continue
            j = i
            while j < len(lines) and not re.search(r"[;{]\s*$", lines[j]) and lines[j] != "{":
                j += 1
            if j < len(lines) and lines[j].rstrip().endswith("{") and "=" not in lines[i].split("(")[0]:
                end = next((k for k in range(j, len(lines)) if lines[k].startswith("}")), j)
                found.append((head.group(1), bool(re.match(r"(?:\w+ )*static\b", lines[i])), i + 1, end - i + 1))
                i = end + 1
            else:
                i = j + 1
        return found

    def defines(self):
        """Names that other files can use."""
        names = {name for name, is_static, _, _ in self.functions if not is_static}
        for line in self.code.splitlines():
            table = re.match(r"(?!static\b|typedef\b|extern\b)[A-Za-z_][\w\s*]*?[\s*](\w+)(?:\[[^\]]*\])*\s*=[^=]", line)
            if table:
                names.add(table.group(1))
        return {name for name in names if "_" in name}  # each of ours has its module's name; others are of a namespace or a macro


def files_of(root, name):
    folder = root / "src" / name
    return [File(path, folder) for path in sorted(folder.rglob("*")) if path.suffix in (*BODIES, ".h") and not is_test(path)]


def needs_of(name, files):
    """{node: {node it needs: why}}"""
    one = {}  # grammar -> parse: what is included as text
    nodes = {file.node for file in files}
    for file in files:
        for include in file.includes:
            text = pathlib.PurePath(include)
            if text.suffix == ".inc" and include.startswith(name + "/") and str(text.with_suffix("")).removeprefix(name + "/") in nodes:
                one[str(text.with_suffix("")).removeprefix(name + "/")] = file.node
    owner = {}
    headers = "\n".join(file.code for file in files if file.path.suffix == ".h")
    for file in files:
        if file.path.suffix == ".h":
            continue
        for symbol in file.defines():
            if file.path.suffix != ".cc" or re.search(rf"\b{symbol}\b", headers):  # C++ has namespaces without a name
                owner[symbol] = one.get(file.node, file.node)
    needs = {one.get(node, node): {} for node in nodes}
    for file in files:
        node = one.get(file.node, file.node)
        for include in file.includes:
            other = include.removeprefix(name + "/").rsplit(".", 1)[0]
            if include.startswith(name + "/") and other in nodes:
                needs[node].setdefault(one.get(other, other), "includes it")
        # A header that declares what several files define needs none of them, not where its own bodies use it either.
        used, lines = file.code, file.code.splitlines()
        if file.path.suffix == ".h":
            used = "\n".join("\n".join(lines[first:first + count]) for _, _, first, count in file.functions)
            declared = set(re.findall(r"^[A-Za-z].*?\b(\w+)(?:\(.*|\[\w*\])?[;,]$", file.code, re.M))
        else:
            declared = set()
        for symbol in sorted(set(re.findall(r"(?<![\w.>])([a-z]\w+)\b", used)) & (owner.keys() - declared)):
            needs[node].setdefault(owner[symbol], symbol)
        needs[node].pop(node, None)
    return needs


def circles_of(needs):
    """Groups of nodes that reach each other, each sorted."""
    def reach(node):
        seen, todo = set(), [node]
        while todo:
            for other in needs.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    reached = {node: reach(node) for node in needs}
    groups = {tuple(sorted(other for other in reached[node] if node in reached.get(other, ()))) for node in needs if node in reached[node]}
    return sorted(groups)


def shortest(needs, group):
    """A way round in a group, with why each step is one."""
    ways = []
    for start in group:
        before, todo = {}, [start]
        while todo and start not in before:
            node = todo.pop(0)
            for other in sorted(needs[node].keys() & set(group)):
                if other not in before:
                    before[other] = node
                    todo.append(other)
        way = [start]
        while len(way) == 1 or way[0] != start:
            way.insert(0, before[way[0]])
        ways.append(way)
    way = min(ways, key=len)
    return ", ".join(f"{a} needs {b} ({needs[a][b]})" for a, b in zip(way, way[1:]))


def judge(root, name, columns):
    """(the figures of a folder, what is wrong with it, its files)"""
    files = files_of(root, name)
    bodies = [file for file in files if file.path.suffix in BODIES]
    wrong = []
    lines = sum(len(file.lines) for file in bodies)
    comments = 100.0 * sum(file.comments for file in bodies) / max(lines, 1)
    asserts = 1000.0 * sum(file.asserts for file in bodies) / max(lines, 1)
    headless = [file for file in bodies if file.headless]
    wide = [(file, i) for file in bodies for i, line in enumerate(file.lines, 1) if len(line) > columns]
    long = [(file, *function) for file in bodies for function in file.functions
            if function[3] > FUNCTION_LINES and f"{name}/{file.name}:{function[0]}" not in LONG]
    needs = needs_of(name, files)
    circles = circles_of(needs)
    if comments < COMMENTS_FLOOR:
        wrong.append(f"{comments:.1f} % of the lines are comments, the floor is {COMMENTS_FLOOR:.0f} %")
    wrong += [f"{file.name}: does not begin with a comment that says what the file is for" for file in headless]
    if asserts < ASSERTS_FLOOR.get(name, 0):
        wrong.append(f"{asserts:.1f} asserts for 1000 lines, the floor is {ASSERTS_FLOOR[name]}")
    wrong += [f"{file.name}:{first}: {function} has {count} lines; {FUNCTION_LINES} is the limit, or a reason in tools/style.py"
              for file, function, _, first, count in long]
    told = [f"{name}: files need each other: " + ", ".join(group) + ": " + shortest(needs, group) for group in circles]
    figures = (name, lines, comments, len(headless), asserts, len(long), len(wide), len(circles))
    wrong = [f"{name}: {line}" for line in wrong] + (told if name in WITHOUT_CIRCLES else [])
    return figures, wrong, [] if name in WITHOUT_CIRCLES else told, bodies


def columns_of(root):
    return int(re.search(r"^ColumnLimit: (\d+)", (root / ".clang-format").read_text(), re.M).group(1))


def folders_of(root):
    layers = re.search(r"^LAYERS := (.*)$", (root / "Makefile").read_text(), re.M).group(1).split()
    return [name for name in layers if (root / "src" / name).is_dir()]


def stale(root):
    """What LONG lists and is not so."""
    wrong = []
    for entry in LONG:
        place, function = entry.split(":")
        path = root / "src" / place
        found = [f for f in File(path, path.parent).functions if f[0] == function] if path.exists() else []
        if not found or found[0][3] <= FUNCTION_LINES:
            wrong.append(f"tools/style.py lists {entry}, which is not there or no longer long")
    return wrong


def self_test(root):
    """Sabotages a copy and looks whether each is told; 0 if so."""
    columns = columns_of(root)
    body = "\n".join("    (void)0;" for _ in range(FUNCTION_LINES))
    added = {  # what is written, and words of what must be told; None: nothing may be
        "a circle by headers": ({"base/style_a.h": '/* a */\n#include "base/style_b.h"\n', "base/style_b.h": '/* b */\n#include "base/style_a.h"\n'},
                                "files need each other: style_a, style_b"),
        "a circle by calls": ({"base/style_a.c": "/* a */\nint style_a(void)\n{\n    return style_b();\n}\n",
                               "base/style_b.c": "/* b */\nint style_b(void)\n{\n    return style_c();\n}\n",
                               "base/style_c.c": "/* c */\nint style_c(void)\n{\n    return style_a();\n}\n"},
                              "files need each other: style_a, style_b, style_c"),
        "a circle by a table": ({"base/style_a.c": "/* a */\nconst int style_table[] = { 1 };\nint style_a(void)\n{\n    return style_b();\n}\n",
                                 "base/style_b.c": "/* b */\nint style_b(void)\n{\n    return style_table[0];\n}\n"},
                                "files need each other: style_a, style_b"),
        "no circle of what is only said": ({"base/style_a.c": "/* style_b */\nint style_a(void)\n{\n    return \"style_b()\"[0];\n}\n",
                                            "base/style_b.c": "/* b */\nint style_b(void)\n{\n    return style_a();\n}\n"}, None),
        "no head": ({"base/style_a.c": "#include <stdio.h>\n/* late */\n"}, "style_a.c: does not begin with a comment"),
        "a long function": ({"base/style_a.c": f"/* a */\nint style_a(int a,\n            int b)\n{{\n{body}\n}}\n"}, "style_a has 64 lines"),
        "few words": ({"base/style_a.c": "/* a */\n" + "int style_x;\n" * 20000}, "% of the lines are comments"),
        "words behind code only": ({"base/style_a.c": "/* a */\n" + "int style_x; /* x */\n" * 20000}, "% of the lines are comments"),
        "asserts only in words": ({"base/style_a.c": "/* a */\n" + "/* assert(1); */\n" * 20000}, "asserts for 1000 lines"),
        "a circle through text": ({"base/style_a.y": '/* a */\n#include "base/style_b.h"\n', "base/style_b.h": "/* b */\nint style_c(void);\n",
                                   "base/style_c.c": '/* c */\n#include "base/style_a.inc"\nint style_c(void)\n{\n    return style_b();\n}\n',
                                   "base/style_b.c": "/* b */\nint style_b(void)\n{\n    return style_c();\n}\n"},
                                  "files need each other: style_b, style_c"),
    }
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary)
        shutil.copytree(root / "src" / "base", copy / "src" / "base")
        before = judge(copy, "base", columns)[1]
        for name, (files, told) in added.items():
            for path, text in files.items():
                (copy / "src" / path).write_text(text)
            after = [line for line in judge(copy, "base", columns)[1] if line not in before]
            # What adds only a few lines may bring the folder's shares below a floor: that is no finding of its own here.
            fresh = [line for line in after if "% of the lines" not in line and "asserts for" not in line]
            seen = any(told in line for line in after) if told else not fresh
            if not seen:
                failed += 1
                print(f"WRONG: self test: {name}: not told" if told else f"WRONG: self test: {name}: told {fresh}")
            for path in files:
                (copy / "src" / path).unlink()
    if not failed:
        print(f"self test: {len(added)} sabotages, each seen")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent, metavar="ROOT")
    parser.add_argument("--long", action="store_true", help="a line for each file too")
    parser.add_argument("--folder", action="append", help="only this one")
    parser.add_argument("--self-test", action="store_true", help="sabotage a copy: each must be told")
    options = parser.parse_args()
    if options.self_test:
        return 1 if self_test(options.root) else 0
    columns = columns_of(options.root)
    wrong, known = [] if options.folder else stale(options.root), []
    row = "{:<34} {:>6} {:>9} {:>8} {:>8} {:>5} {:>5} {:>8}"
    print(row.format("folder", "lines", "comments", "no head", "asserts", "long", "wide", "circles"))
    for name in options.folder or folders_of(options.root):
        figures, told, allowed, bodies = judge(options.root, name, columns)
        if options.long:
            for file in bodies:
                lines = max(len(file.lines), 1)
                longer = sum(1 for function in file.functions if function[3] > FUNCTION_LINES)
                print(row.format("  " + file.name, len(file.lines), f"{100 * file.comments / lines:.1f} %", int(file.headless),
                                 f"{1000 * file.asserts / lines:.1f}", longer, sum(1 for line in file.lines if len(line) > columns), ""))
        name, lines, comments, headless, asserts, longer, wide, circles = figures
        print(row.format(name, lines, f"{comments:.1f} %", headless, f"{asserts:.1f}", longer, wide, circles))
        wrong += told
        known += allowed
    for line in known if options.long else []:
        print("allowed:", line)
    for line in wrong:
        print("WRONG:", line)
    print(f"{len(wrong)} below the floors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
