"""What people read of a message, in English or 中文: one of its own, or a line of a digest.

Only a table of words and the record; no text grows beyond the bytes it is given, and none breaks its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from gateway.cases.record import rank
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.notify.moment import moment
from gateway.notify.outbox import Delivery
from gateway.notify.settings import Language

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "info": ("Info", "提示"),
    "warning": ("Warning", "预警"),
    "minor": ("Minor", "一般"),
    "major": ("Major", "重要"),
    "critical": ("Critical", "紧急"),
    "alarm.raise": ("Alarm raised", "告警产生"),
    "alarm.clear": ("Alarm cleared", "告警解除"),
    "alarm.acknowledge": ("Alarm acknowledged", "告警已确认"),
    "alarm.shelve": ("Alarm shelved", "告警已搁置"),
    "alarm.unshelve": ("Alarm back from the shelf", "告警恢复提示"),
    "alarm.suppress": ("Alarm explained by another", "告警已归并抑制"),
    "alarm.unsuppress": ("Alarm no longer explained", "告警解除抑制"),
    "case.file": ("Case filed", "案件立案"),
    "case.dispatch": ("Case dispatched", "案件派遣"),
    "case.accept": ("Case accepted", "案件已接单"),
    "case.start": ("Repair begun", "开始处置"),
    "case.return": ("Case returned", "案件退回"),
    "case.suspend": ("Case suspended", "案件挂账"),
    "case.resume": ("Case resumed", "案件恢复处置"),
    "case.extend": ("Case extended", "案件延期"),
    "case.repaired": ("Repaired", "处置完成"),
    "case.recover": ("Recovered by itself", "自行恢复"),
    "case.verify": ("Repair verified", "核查通过"),
    "case.rework": ("Rework: the proof failed", "核查未通过，返工"),
    "case.close": ("Case closed", "案件结案"),
    "case.reopen": ("Case reopened", "案件重开"),
    "case.void": ("Case void", "案件作废"),
    "case.fold": ("Case goes on in another", "案件已归并"),
    "case.merge": ("Case merged into another", "案件合并结束"),
    "case.split": ("Case split", "案件拆分"),
    "case.merged": ("Another case merged into it", "其他案件并入"),
    "case.alarm_moved": ("Alarm moved between cases", "告警移至其他案件"),
    "case.alarm_folded": ("The case explains another alarm", "告警归并入案"),
    "case.alarm_left": ("An alarm stands by itself again", "告警脱离案件"),
    "case.case_gathered": ("Case gathered in a storm", "案件归入群发事件"),
    "case.reported": ("Reported by people", "收到市民或巡查上报"),
    "case.person_needed": ("A person must verify", "需人工核查"),
    "case.provable": ("Telemetry can verify again", "可由遥测核查"),
    "case.photo": ("Photo added", "新增照片"),
    "case.visit": ("On a visit's list", "列入上门处置"),
    "case.alarm_joined": ("Alarm joined the case", "告警并入案件"),
    "case.alarm_cleared": ("The case's alarm cleared", "案件告警解除"),
    "case.alarm_raised": ("The case's alarm is back", "案件告警再次产生"),
    "case.undispatched": ("Not dispatched in time", "逾时未派遣"),
    "case.due_soon": ("Deadline near", "即将超期"),
    "case.overdue": ("Overdue", "案件超期"),
    "case.escalated": ("Escalated", "案件升级"),
    "case.forwarded": ("Sent to another platform", "已转送其他平台"),
    "case.reckoned": ("Deadline reckoned anew", "期限重算"),
    "alarm.unread": ("Nobody has acknowledged it", "告警逾时无人确认"),
    "case.unread": ("Nobody has taken it on", "案件逾时无人响应"),
    "case": ("Case", "案件"),
    "device": ("Device", "设备"),
    "area": ("Area", "区域"),
    "time": ("Time", "时间"),
    "deadline": ("Deadline", "期限"),
    "crew": ("Crew", "班组"),
    "to": ("For", "呈请"),
    "note": ("Note", "说明"),
    "why": ("Why", "原因"),
    "acknowledge": ("Answer", "点击确认"),
    "digest": ("messages together, the newest of each", "条消息汇总，每项取最新状态"),
    "more": ("More follow", "其余随后发送"),
}
OURS: Final = Labels()


class Digest(NamedTuple):
    """subjects: how many of those given it has room for."""

    text: str
    subjects: int


class Writer(NamedTuple):
    """size: UTF-8 bytes that a text may have. links: by which a message is answered, where there are any."""

    language: Language
    zone: tzinfo
    size: int
    links: Links | None = None
    labels: Labels = OURS

    def one(self, delivery: Delivery) -> str:
        """A message of its own."""
        record = _record(delivery)
        colon = "：" if self.language == "zh" else ": "
        found = {
            "case": record["id"] if delivery.event.startswith("case.") else None,
            "device": _plain(f"{record.get('device', '')} {record.get('device_name', '')}"),
            "area": record.get("area"),
            "time": self._moment(delivery.payload.get("time")),
            "deadline": self._moment(record.get("deadline")),
            "crew": record.get("crew"),
            "to": delivery.payload.get("to"),
            "why": delivery.payload.get("explanation", {}).get(self.language),
            "note": "" if delivery.payload.get("to") else delivery.payload.get("note"),
        }
        lines = [f"{self._word(name)}{colon}{_plain(value)}" for name, value in found.items() if value]
        url = self.links.url(delivery) if self.links else None
        answer = f"\n{self._word('acknowledge')}{colon}{url}" if url else ""
        text = clip("\n".join([self._head(delivery), *lines]), self.size - len(answer.encode()))
        return text + answer

    def together(self, newest: Sequence[Delivery]) -> Digest:
        """One line a subject, as many as fit, the worst first: give them in that order (see `worst`)."""
        more = self._word("more")
        room = self.size - len(more.encode()) - 1
        lines: list[str] = []
        text = ""
        for delivery in newest:
            lines.append(clip(f"• {self._line(delivery)}", room // 4))
            longer = "\n".join([f"citygate: {len(lines)} {self._word('digest')}", *lines])
            if len(longer.encode()) > room:
                lines.pop()
                break
            text = longer
        if len(lines) < len(newest):
            text = f"{text}\n{more}"
        return Digest(text, len(lines))

    def _head(self, delivery: Delivery) -> str:
        record = _record(delivery)
        severity = self._word(str(record.get("severity", "")))
        name = record.get(self.language) or record.get("name") or delivery.subject
        if self.language == "zh":
            return _plain(f"【{severity}】{self._word(delivery.event)}：{name}")
        return _plain(f"[{severity}] {self._word(delivery.event)}: {name}")

    def _line(self, delivery: Delivery) -> str:
        record = _record(delivery)
        where = record.get("device_name") or record.get("device") or ""
        moment = (self._moment(delivery.payload.get("time")) or "")[5:16]
        return _plain(f"{moment} {self._head(delivery)} {where}")

    def _word(self, name: str) -> str:
        return self.labels.word(WORDS, name, self.language) if name in WORDS else name

    def _moment(self, time: int | None) -> str | None:
        if time is None:
            return None
        return moment(time, self.zone).strftime("%Y-%m-%d %H:%M:%S")


def worst(delivery: Delivery) -> tuple[int, int]:
    """Sorts the worst first, and the older before the newer."""
    return -rank(str(_record(delivery).get("severity", ""))), delivery.id


def clip(text: str, size: int) -> str:
    """At most so many bytes of UTF-8, cut between characters and marked where it is cut."""
    data = text.encode()
    return text if len(data) <= size else data[: size - 3].decode(errors="ignore") + "…"


def _record(delivery: Delivery) -> Mapping[str, Any]:
    found: Mapping[str, Any] = delivery.payload[delivery.event.partition(".")[0]]
    return found


def _plain(value: object) -> str:
    return " ".join(str(value).split())
