"""One small report in every format: numbers read as numbers, names as the texts they are."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evaluation.render import as_csv, as_html, as_xlsx
from gateway.evaluation.report import Column, Kind, Report, Row, Table

SIGNS = st.characters(min_codepoint=32, max_codepoint=0x9FFF, exclude_categories=["C", "Z"])
NAMES = st.builds(
    lambda first, rest: first + rest,
    st.sampled_from(["", "=", "+", "-", "@", "＝", "'", "<b>", "{=", "https://"]),
    st.text(SIGNS, min_size=1, max_size=20),
)


def report_of(name: str) -> Report:
    columns = [
        Column("Name", Kind.TEXT),
        Column("Rate", Kind.SHARE),
        Column("Count", Kind.COUNT),
        Column("Change", Kind.TEXT),
    ]
    rows: list[Row] = [[name, 0.9512, 3, (-1.25, Kind.CHANGE)], ["none", None, 0, (None, Kind.CHANGE)]]
    return Report(
        "Weekly report", "a week", "en", [Table(name, columns, rows, name), Table(name, columns, [])]
    )


@settings(max_examples=40)
@given(NAMES)
def test_a_workbook_reads_back_what_was_written(name: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx(report_of(name))))
    assert len(book.sheetnames) == 2
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[4]] == [name, 0.9512, 3, -1.25]
    assert [cell.data_type for cell in sheet[4]] == ["s", "n", "n", "n"]
    assert [cell.value for cell in sheet[5]] == ["none", None, 0, None]
    assert {cell.data_type for each in book for row in each.iter_rows() for cell in row} <= {"s", "n"}
    assert not any(cell.hyperlink for row in sheet.iter_rows() for cell in row)
    assert sheet["B4"].number_format == "0.0%"


@given(NAMES)
def test_no_cell_of_a_csv_begins_a_formula(name: str) -> None:
    text = as_csv(report_of(name)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    texts = [cell for row in rows for cell in row if not re.fullmatch(r"-?\d+(\.\d+)?", cell)]
    assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "＝"))]
    given_row = next(row for row in rows if row[1:3] == ["0.9512", "3"])
    assert given_row[0].removeprefix("'") == name.removeprefix("'")
    assert given_row[3] == "-1.25"


@given(NAMES)
def test_a_page_holds_names_and_no_markup_of_theirs(name: str) -> None:
    page = as_html(report_of(name)).decode()
    cells = re.findall(r"<td(?: class=\"n\")?>(.*?)</td>", page)
    assert [unescape(cell) for cell in cells] == [name, "95.1%", "3", "-1.2", "none", "–", "0", "–"]
    assert set(re.findall(r"<(\w+)", page.split("</style>")[1])) <= {
        *("body", "h1", "h2", "p", "div", "table", "thead", "tbody", "tr", "th", "td")
    }
