"""A report as CSV, XLSX and printable HTML. A name is text in all of them, whatever it begins with: no formula, no markup."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from html import escape
from typing import Any, Final

import xlsxwriter

from gateway.evaluation.report import Cell, Column, Kind, Report, Table

CSV: Final = "text/csv; charset=utf-8"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML: Final = "text/html; charset=utf-8"
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet may take for the beginning of one
FORMATS: Final = {Kind.SHARE: "0.0%", Kind.NUMBER: "0.0", Kind.COUNT: "0", Kind.CHANGE: "+0.0;-0.0;0.0"}
NUMBERS: Final = {Kind.COUNT: ".0f", Kind.CHANGE: "+.1f", Kind.NUMBER: ".1f", Kind.TEXT: ".1f"}
WIDEST: Final = 60  # characters of a sheet's column
NAME: Final = 31  # characters that a sheet's name may have

STYLE: Final = """
body { font: 10.5pt/1.4 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2em auto; padding: 0 1em; max-width: 75em; }
h1 { font-size: 1.5em; margin: 0; } h2 { font-size: 1.1em; margin: 1.6em 0 .3em; break-after: avoid; }
table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #999; padding: .2em .5em; text-align: left; }
th { background: #eee; } td.n { text-align: right; white-space: nowrap; } p.note { color: #444; font-size: .9em; }
thead { display: table-header-group; } tr { break-inside: avoid; }
.wide { overflow-x: auto; }
@page { size: A4 landscape; margin: 12mm; } @media print { body { margin: 0; padding: 0; max-width: none; } .wide { overflow: visible; } }
"""
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def as_csv(report: Report) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets in China expect; tables one below the other."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_plain(report.title), _plain(report.period)])
    for table in report.tables:
        writer.writerow([])
        writer.writerow([_plain(table.title)])
        writer.writerow([_plain(column.title) for column in table.columns])
        for row in table.rows:
            writer.writerow(
                [_csv(*_kind(given, column)) for given, column in zip(row, table.columns, strict=True)]
            )
        if table.note:
            writer.writerow([_plain(table.note)])
    return file.getvalue().encode("utf-8-sig")


def _csv(value: Cell, kind: Kind) -> str | int:
    if value is None:
        return ""
    if isinstance(value, str):
        return _plain(value)
    return int(value) if kind is Kind.COUNT else f"{value:.{4 if kind is Kind.SHARE else 2}f}"


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def as_xlsx(report: Report) -> bytes:
    """A sheet a table, in memory; texts are written as texts."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        styles = {kind: book.add_format({"num_format": text}) for kind, text in FORMATS.items()}
        head = book.add_format({"bold": True, "bg_color": "#EEEEEE", "border": 1})
        title = book.add_format({"bold": True, "font_size": 14})
        taken: set[str] = set()
        for table in report.tables:
            sheet = book.add_worksheet(_sheet(table.title, taken))
            sheet.write_string(0, 0, f"{report.title} · {table.title} · {report.period}", title)
            for place, column in enumerate(table.columns):
                sheet.write_string(2, place, column.title, head)
            for line, row in enumerate(table.rows, 3):
                for place, (given, column) in enumerate(zip(row, table.columns, strict=True)):
                    _write(sheet, line, place, *_kind(given, column), styles)
            if table.note:
                sheet.write_string(len(table.rows) + 4, 0, table.note)
            _fit(sheet, table)
    return file.getvalue()


def _sheet(title: str, taken: set[str]) -> str:
    """A name that a sheet may have and no other has."""
    name = "".join("_" if sign in "[]:*?/\\'" else sign for sign in title)[:NAME]
    while name.casefold() in taken:
        name = f"{name[: NAME - 3]} {len(taken)}"
    taken.add(name.casefold())
    return name


def _write(sheet: Any, line: int, place: int, value: Cell, kind: Kind, styles: dict[Kind, Any]) -> None:
    if value is None:
        sheet.write_blank(line, place, None)
    elif isinstance(value, str):
        sheet.write_string(line, place, value)
    else:
        sheet.write_number(line, place, value, styles.get(kind))


def _fit(sheet: Any, table: Table) -> None:
    for place, column in enumerate(table.columns):
        widths = [_width(row[place] if isinstance(row[place], str) else "") for row in table.rows]
        sheet.set_column(place, place, min(max([10, _width(column.title), *widths]) + 2, WIDEST))
    sheet.freeze_panes(3, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _width(text: object) -> int:
    """Chinese signs are twice as wide."""
    return sum(2 if sign > "\u2e7f" else 1 for sign in str(text))


def as_html(report: Report) -> bytes:
    """One page for the printer: no script, nothing from elsewhere."""
    title = f"{escape(report.title)} · {escape(report.period)}"
    tables = "".join(_html(table) for table in report.tables)
    language = "zh-CN" if report.language == "zh" else "en"
    page = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(report.title)}</h1><p>{escape(report.period)}</p>{tables}</body></html>"
    )
    return page.encode()


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(column.title)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr>{''.join(_td(*_kind(given, column)) for given, column in zip(row, table.columns, strict=True))}</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<h2>{escape(table.title)}</h2><div class="wide">{body}</div>{note}'


def _td(value: Cell, kind: Kind) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="n">{shown(value, kind)}</td>'


def shown(value: float | None, kind: Kind) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if kind is Kind.SHARE:
        return f"{value:.1%}"
    return f"{value:{NUMBERS[kind]}}"


def _kind(given: Cell | tuple[Cell, Kind], column: Column) -> tuple[Cell, Kind]:
    return given if isinstance(given, tuple) else (given, column.kind)
