"""Texts of figures and reports in English and 中文: what each number is, and how it is counted, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.evaluation.measures import Measure
from gateway.evaluation.period import Length

LANGUAGES: Final = ("en", "zh")
Text = tuple[str, str]  # en, zh

MEASURES: Final[Mapping[Measure, Text]] = {
    Measure.LIT: ("Lit rate", "亮灯率"),
    Measure.INTEGRITY: ("Facility integrity", "设施完好率"),
    Measure.OCCUPANCY: ("Parking occupancy", "泊位利用率"),
    Measure.TURNOVER: ("Parkings a bay and day", "泊位周转率（次/泊位·日）"),
    Measure.PURIFIER: ("Purifier running rate", "净化器同步运行率"),
    Measure.DUST: ("Dust hours above the limit", "扬尘超标小时数"),
}
NOTES: Final[Mapping[Measure, Text]] = {
    Measure.LIT: (
        (
            "Lamp-hours lit of lamp-hours that ought to be lit and were heard (lamps lit / lamps that should be lit, practice after "
            "CJJ 89; target: lower bound). Only hours dark as a whole, some time after sunset and before sunrise; a lamp's last "
            "report of the hour counts. Lamps that were silent are in the coverage only."
        ),
        (
            "亮灯小时数/应亮且有数据的灯时数（亮灯数/应亮灯数，参照CJJ 89惯例；目标为下限）。仅计全黑整点时段（日落后、日出前各留余量），"
            "以该小时最后一次上报为准；离线灯只计入覆盖率。"
        ),
    ),
    Measure.INTEGRITY: (
        (
            "Facility-days in good order of facility-days inspected (facilities in good order / facilities inspected, practice after "
            "CJJ 89). A facility is inspected on each day on which it is heard; it is out of order where an alarm of a fault "
            "stood at the day's end. Silent facilities are in the coverage only."
        ),
        (
            "完好设施日数/检查设施日数（完好设施数/检查设施数，参照CJJ 89惯例）。当日有数据即视为被检查，日末仍有故障告警即为不完好；"
            "离线设施只计入覆盖率。"
        ),
    ),
    Measure.OCCUPANCY: (
        "Time occupied of time known (practice). A bay's report holds until its next one, and no longer than configured.",
        "占用时长/已知时长（惯例）。每次上报持续到下一次上报，且不超过配置的有效时长。",
    ),
    Measure.TURNOVER: (
        "Changes from vacant to occupied for each day that a bay was known (practice).",
        "由空变占的次数/泊位已知天数（惯例）。",
    ),
    Measure.PURIFIER: (
        "Time both run of time the fan runs (Beijing DB11/1488-2018: fan and purifier run together). Fan and purifier must be known.",
        "风机与净化器同时运行时长/风机运行时长（参照DB11/1488-2018同步运行要求）。仅计两者状态均已知的时段。",
    ),
    Measure.DUST: (
        (
            "Hours whose PM10 mean is above the limit now in force for the station (parameter of the rule configured), of hours with "
            "enough minutes heard (HJ 212-2017 annex C: 75 %)."
        ),
        "PM10小时均值高于该站现行限值（所配置规则的参数）的小时数；仅计分钟数据足够的小时（HJ 212-2017附录C：75%）。",
    ),
}
INDICATORS: Final[Mapping[str, Text]] = {
    "filed": ("Filed", "立案数"),
    "due": ("Due", "应处置数"),
    "handled": ("Handled", "处置数"),
    "closed": ("Closed", "结案数"),
    "handled_rate": ("Handled rate", "处置率"),
    "handled_on_time_rate": ("Handled on time", "按期处置率"),
    "closed_rate": ("Closed rate", "结案率"),
    "closed_on_time_rate": ("Closed on time", "按期结案率"),
    "rework_rate": ("Rework rate", "返工率"),
    "overdue_open_rate": ("Overdue and open", "超期待处置率"),
    "mean_handling": ("Mean handling (h)", "平均处置时长（小时）"),
}
CASES_NOTE: Final[Text] = (
    (
        "GB/T 30428, stage 7. A dispatch is due where its limit ends in the period, or ended before it while the work was still open, "
        "unless it was handed back undone in time; void and suspended cases count apart. On time: handed back before the limit. "
        "Handling runs from dispatch to hand-back. All is counted as it stood at the end of the period."
    ),
    (
        "依据GB/T 30428评价阶段。按派遣计：时限在本期到期或到期后结转未处置的计为应处置，时限内退回的除外；作废与挂账案件另计。按期：在时限前回复。均按期末状态统计。"
        "处置时长自派遣至回复。"
    ),
)
SCORE_NOTE: Final[Text] = (
    "Score: weighted mean of the rates, 100 is best; rates of which less is better count as what is left to 1. Weights: ",
    "得分：各项比率加权平均，满分100；越低越好的比率按其补数计。权重：",
)
TITLES: Final[Mapping[str, Text]] = {
    "weekly": ("Weekly report", "周报"),
    "monthly": ("Monthly ranking", "月度排名"),
    "cases": ("Cases", "案件总体"),
    "area": ("By area", "按区域"),
    "department": ("By department", "按部门"),
    "crew": ("By crew", "按班组"),
    "template": ("By cause", "按案由"),
    "grid": ("By grid cell", "按单元网格"),
    "facilities": ("Facilities", "设施指标"),
    "facilities_area": ("Facilities by area", "设施指标（按区域）"),
    "facilities_owner": ("Facilities by owner", "设施指标（按权属单位）"),
}
COLUMNS: Final[Mapping[str, Text]] = {
    "place": ("Place", "名次"),
    "before": ("Place before", "上期名次"),
    "name": ("Name", "名称"),
    "score": ("Score", "得分"),
    "change": ("Change (of shares: points)", "较上期（比率：百分点）"),
    "indicator": ("Indicator", "指标"),
    "value": ("This period", "本期"),
    "earlier": ("Period before", "上期"),
    "target": ("Target", "目标"),
    "met": ("Met", "达标"),
    "coverage": ("Coverage", "数据覆盖率"),
    "heard": ("Heard", "在线设备数"),
    "devices": ("Devices", "设备数"),
    "note": ("How it is counted", "统计口径"),
}
WORDS: Final[Mapping[str, Text]] = {
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "city": ("whole city", "全市"),
    "none": ("(not assigned)", "（未指定）"),
    "until": ("not over; as of ", "未结束，截至 "),
}
LENGTHS: Final[Mapping[Length, Text]] = {
    Length.DAY: ("Day", "日"),
    Length.WEEK: ("Week", "周"),
    Length.MONTH: ("Month", "月"),
}


def pick(text: Text, language: str) -> str:
    return text[LANGUAGES.index(language)]
