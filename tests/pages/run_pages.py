#!/usr/bin/env python3
"""Runs the examples of README.md and docs/[a-z]*.md as a reader would, in an empty folder a page, with an installed paligemma.

    tests/pages/run_pages.py [--refresh] BUILD_FOLDER [PAGE.md]...

A page's folder has two photographs, cow.jpg and lily.jpg, and models/: paligemma (which $PALIGEMMA_MODEL names) and siglip
are tiny and have learned what answers.jsonl and texts.jsonl say of these two, siglip-untrained and gemma are random.

    ```sh                    is run, by bash -e; variables and the folder stay what they are for the next block
    ```text                  right behind it: what it prints on both outputs. "..." stands for anything within a line, or
                             alone for any lines. --refresh writes those anew that are not as shown: read the difference.
    ```c                     is compiled: whole programs, or lines of a function
    ```python                is run behind the page's earlier ones, whose output is not shown again; where a Python has NumPy and Pillow

A comment <!-- ... --> in the line before a block says more about it:

    <!-- file NAME -->       the block, of any language, is written to NAME, and not run
    <!-- fails -->           the commands fail
    <!-- not run: WHY -->    it is not run

and <!-- run: COMMANDS --> runs what readers have done before, or need not see.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INFERENCE = ROOT / "tests/golden/inference"
BLOCK = re.compile(
    r"^<!-- run:(?P<hidden>.*?)-->$"
    r"|(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$"
    r"(?:\n\n^```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL)


class Wrong(Exception):
    """An example that does not do what its page says."""


def run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)


def install(build, prefix):
    """Installs the build; the environment in which its program, header and library are found."""
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
    package = next(prefix.rglob("paligemma.pc")).parent
    return {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "HOME": str(prefix), "LC_ALL": "C.UTF-8",
            "PALIGEMMA_MODELS": "none", "PKG_CONFIG_PATH": str(package), "LD_LIBRARY_PATH": str(package.parent),
            "PALIGEMMA_LIBRARY": str(package.parent / "libpaligemma.so"), "PYTHONPATH": str(ROOT / "python"),
            "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}


def find_python():
    """One that has what the examples in Python need; None: there is none."""
    for python in ("python3", "/usr/bin/python3"):
        found = shutil.which(python)
        if found and not subprocess.run([found, "-c", "import numpy, PIL"], stderr=subprocess.DEVNULL, check=False).returncode:
            return found
    return None


PYTHON = find_python()


def prepare(folder, environment):
    """What every page's folder begins with."""
    for picture in ("cow.jpg", "lily.jpg"):
        shutil.copy(INFERENCE / "images" / picture, folder)
    shutil.copytree(INFERENCE / "siglip-tiny/checkpoint", folder / "models/siglip-untrained")
    shutil.copytree(INFERENCE / "gemma-tiny-mha/checkpoint", folder / "models/gemma")
    for rows in ("answers.jsonl", "texts.jsonl"):
        shutil.copy(HERE / rows, folder)
    learn = "paligemma train --save-every 0 --validate-every 0 -t 1 --compute f32 "
    for name, settings in (
            ("paligemma", f"-m {INFERENCE}/paligemma-tiny-f32/checkpoint --data answers.jsonl --batch 9 --steps 120 "
                          "--learning-rate 2e-3"),
            ("siglip", "-m models/siglip-untrained --objective siglip --data texts.jsonl --batch 4 --steps 60 "
                       "--learning-rate 1e-3")):
        done = run(["bash", "-ec", f"{learn} {settings} --out run && mv run/last models/{name} && rm -r run"], folder,
                   environment)
        if done.returncode:
            raise Wrong(f"the models of the pages could not be trained:\n{done.stdout}")
    for rows in ("answers.jsonl", "texts.jsonl"):
        (folder / rows).unlink()


def same(found, shown):
    """Whether the output is as shown, "..." being anything."""
    lines = [r"(?:[^\n]*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", "[^\n]*") + "\n"
             for line in shown.splitlines()]
    return re.fullmatch("".join(lines), found) is not None


def tidy(output):
    """As it is shown: without blanks at the ends of lines, and with a last newline."""
    return "".join(line.rstrip() + "\n" for line in output.splitlines())


def run_commands(code, folder, environment, fails):
    state = folder / ".state"
    script = f"if [ -e {state} ]; then unset $(compgen -e); . {state}; fi\n{code}\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} >{state}\n"
    done = run(["bash", "-ec", script], folder, environment)
    if (done.returncode != 0) != fails:
        raise Wrong(f"exit code {done.returncode}:\n{code}\n{done.stdout}")
    return tidy(done.stdout)


def compile_lines(code, folder, environment):
    """A whole program, or lines of a function."""
    if "int main(" not in code:
        lines = code.splitlines(keepends=True)
        includes = [line for line in lines if line.startswith("#")]
        rest = [line for line in lines if not line.startswith("#")]
        code = "".join(["#include <stdio.h>\n", *includes, "void block(void);\nvoid block(void)\n{\n", *rest, "}\n"])
    (folder / ".block.c").write_text(code)
    done = run(["bash", "-ec", "${CC:-cc} -std=c11 -Wall -Wextra -Werror -fsyntax-only .block.c "
                "$(pkg-config --cflags paligemma)"], folder, environment)
    if done.returncode:
        raise Wrong(done.stdout)


def run_python(code, folder, environment, fails):
    earlier = folder / ".earlier.py"
    silent = f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    exec(open({str(earlier)!r}).read())\n"
    done = run([PYTHON, "-c", (silent if earlier.exists() else "") + code], folder, environment)
    if (done.returncode != 0) != fails:
        raise Wrong(f"exit code {done.returncode}:\n{code}\n{done.stdout}")
    if fails:  # its last line says what is wrong
        return done.stdout.splitlines()[-1] + "\n"
    with open(earlier, "a", encoding="utf-8") as file:
        file.write(code)
    return tidy(done.stdout)


def run_block(block, folder, environment):
    """The output, where the block makes one."""
    if block["hidden"] is not None:
        run_commands(block["hidden"], folder, environment, fails=False)
        return None
    note, language, code = block["note"] or "", block["language"], block["code"]
    if note.startswith("file "):
        (folder / note[len("file "):]).write_text(code)
    elif note.startswith("not run: "):
        pass
    elif language == "sh":
        return run_commands(code, folder, environment, note == "fails")
    elif language == "python":
        return run_python(code, folder, environment, note == "fails") if PYTHON else block["shown"]
    elif language == "c":
        compile_lines(code, folder, environment)
    else:
        raise Wrong(f"a block of '{language}' that is neither run nor a file:\n{code}")
    return None


def run_page(page, folder, environment, refresh):
    """Problems of a page, as texts."""
    text = page.read_text()
    problems, pieces, end = [], [], 0
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        try:
            output = run_block(block, folder, environment)
        except Wrong as wrong:
            problems.append(f"{page.relative_to(ROOT)}:{line}: {wrong}")
            break  # what follows may need it
        if block["shown"] is not None and not same(output or "", block["shown"]):
            if refresh:
                pieces += [text[end:block.start("shown")], output]
                end = block.end("shown")
            else:
                problems.append(f"{page.relative_to(ROOT)}:{line}: shown:\n{block['shown']}found:\n{output}")
    if pieces:
        page.write_text("".join(pieces) + text[end:])
    return problems


def main():
    arguments = sys.argv[1:]
    refresh = "--refresh" in arguments
    arguments = [argument for argument in arguments if argument != "--refresh"]
    if not arguments:
        sys.exit(__doc__)
    pages = [pathlib.Path(page).resolve() for page in arguments[1:]]
    pages = pages or [ROOT / "README.md", *sorted((ROOT / "docs").glob("[a-z]*.md"))]
    problems = []
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        environment = install(pathlib.Path(arguments[0]).resolve(), work / "prefix")
        (work / "start").mkdir()
        prepare(work / "start", environment)
        environment.update(PALIGEMMA_MODEL="models/paligemma", ROOT=str(ROOT))
        for page in pages:
            folder = work / page.stem
            shutil.copytree(work / "start", folder)
            problems += run_page(page, folder, environment, refresh)
    for problem in problems:
        print(problem)
    print(f"{len(pages)} pages, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
