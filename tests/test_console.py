"""Foreign text on the terminal, in files' names and in tables: names that try to be more."""

import argparse
import io

import pytest
from rich.table import Table

from keras_ghostnet import cli, console, files

# As text, as it is shown, and as a file's name.
NAMES = {
    "ant": ("ant", "ant"),
    "Ameise \u00e4 \u5bb6": ("Ameise \u00e4 \u5bb6", "Ameise____"),
    "mk[bold]z[/x] :bug:": ("mk[bold]z[/x] :bug:", "mk_bold_z__x___bug_"),
    "\x1b[31mred\x07": ("\\x1b[31mred\\x07", "31mred_"),
    "a\nghostnet: passed": ("a\\nghostnet: passed", "a_ghostnet__passed"),
    "a\r\0b\x9b": ("a\\r\\x00b\\x9b", "a__b_"),
    "\u202egnp.exe": ("\\u202egnp.exe", "gnp.exe"),
    "caf\udce9": ("caf\\xe9", "caf_"),
    "\ud800": ("\\ud800", "unnamed"),
    "..": ("..", "unnamed"),
    "../../x": ("../../x", "x"),
    ".hidden": (".hidden", "hidden"),
    "--out": ("--out", "out"),
    "": ("", "unnamed"),
}


@pytest.mark.parametrize("name", NAMES)
def test_printable_text_and_names_of_files(name):
    assert (files.printable(name), files.file_name(name)) == NAMES[name]


def test_long_names_are_cut():
    assert files.file_name("x" * 20_000) == "x" * 100
    assert files.printable("x" * 20_000, 10) == "x" * 9 + "\u2026"


@pytest.mark.parametrize("name", NAMES)
def test_all_that_a_console_prints(name, monkeypatch):
    """Messages, steps, and cells, headings and titles of tables."""
    shown, _ = NAMES[name]
    printed = console.new_console(width=200)
    printed.file = io.StringIO()
    with console.step(printed) as done:
        done(f"took {name}.")
    printed.print(f"Done: {name}.", soft_wrap=True)
    table = Table(title=f"<{name}>")
    table.add_column(f"({name})")
    table.add_row(f"{{{name}}}")
    printed.print(table)
    text = printed.file.getvalue()
    for expected in (
        f"took {shown}.",
        f"Done: {shown}.",
        f"<{shown}>",
        f"({shown})",
        f"{{{shown}}}",
    ):
        assert expected in text
    assert all(character == "\n" or character.isprintable() for character in text)


def test_an_error_forges_no_line(capfd):
    def run(args):
        raise ValueError("There is no class 'a\nghostnet: passed\x1b[2J'.")

    assert cli.main(argparse.Namespace(run=run)) == 1
    assert capfd.readouterr().err == (
        "ghostnet: There is no class 'a\n  ghostnet: passed\\x1b[2J'.\n"
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("classes"), "KeyError: 'classes'"),
        (RuntimeError("node 7\nmore\nand more"), "RuntimeError: node 7"),
        (RecursionError("maximum depth"), "RecursionError: maximum depth"),
        (AssertionError(), "AssertionError: no message"),
        (MemoryError(), "There is not enough memory for this input."),
    ],
)
def test_what_nobody_foresaw_is_one_line_and_a_log(error, message, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def run(args):
        raise error

    assert cli.main(argparse.Namespace(run=run)) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"ghostnet: {message}")
    logs = [*(tmp_path / "keras_ghostnet" / "logs").glob("*.txt")]
    assert len(logs) == (not isinstance(error, MemoryError))
    for log in logs:
        assert f"(details: {log})" in line
        assert "Traceback (most recent call last)" in log.read_text()
    # The same where nothing can be written.
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cli.main(argparse.Namespace(run=run)) == 1
    assert "details" not in capfd.readouterr().err


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@a", "a", "'a", "", "1.5"])
def test_cells_are_no_formulas(text):
    cell = files.cell(text)
    assert not cell.startswith(("=", "+", "-", "@"))
    assert files.from_cell(cell) == text
    assert files.cell(-1.5) == -1.5
    assert files.cell("a\x1b\n=b") == "a\\x1b\\n=b"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "1 min 30 s"), (118, "2 min"), (594, "9 min 50 s"),
     (595, "10 min"), (5000, "83 min"), (7500, "2 h 05 min"), (1e6, "11 d 13 h")],
)  # fmt: skip
def test_duration(seconds, text):
    assert console.duration(seconds) == text


def test_progress_in_a_log(monkeypatch, capsys):
    """Where there is no terminal, long work says now and then how far it is."""
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with console.progress(console.new_console(), "exporting", 20) as show:
        for clock[0], done in [(0, 0), (50, 1), (70, 2), (100, 5), (130, 10), (400, 20)]:
            show(done, f"a[b]{done}")
    assert capsys.readouterr().out.splitlines() == [
        "exporting a[b]2: 10%, 10 min left",
        "exporting a[b]10: 50%, 2 min 10 s left",
    ]
