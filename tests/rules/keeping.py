"""What the scalar oracle keeps of rows besides last values and windows: changes, hours, ages, what others may see."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from drivers.telemetry import HOUR, Family
from rules.document import Rule
from rules.tree import Aged, Changed, Elsewhere, Node, Peers, Rises, Usual, text
from tests.rules.beyond import minute_of
from tests.rules.sight import Device, Sight, scale_of


class Keeping:
    """nodes: what the rules of a family keep, by text. watched: (family, point) that others look at.

    filled: open minutes in which such a point came.
    """

    def __init__(self, families: dict[str, Family], zone: ZoneInfo) -> None:
        self.families = families
        self.zone = zone
        self.nodes: dict[str, dict[str, Node]] = {name: {} for name in families}
        self.watched: set[tuple[str, str]] = set()
        self.filled: set[int] = set()

    def keep(self, rules: list[Rule], devices: list[Device]) -> None:
        """What the new rules need of rows is kept from now on, and goes on where the old ones needed it too."""
        meanings = [(name, meaning) for rule in rules for name, meaning in rule.meanings.items()]
        self.nodes = {name: {} for name in self.families}
        for name, meaning in meanings:
            self.nodes[name].update({text(node): node for node in meaning.nodes()})
        nodes = [node for _, meaning in meanings for node in meaning.nodes()]
        self.watched = {
            (family, node.name) for node in nodes if isinstance(node, Elsewhere) for family, _ in node.rows
        } | {(node.family, node.point.name) for node in nodes if isinstance(node, Peers)}
        self.filled = self.filled if self.watched else set()
        for device in devices:
            mine = self.nodes[device.family.name]
            aged = {node.point.name for node in mine.values() if isinstance(node, Aged)}
            device.before = {key: value for key, value in device.before.items() if key in mine}
            device.fresh = {key: value for key, value in device.fresh.items() if key in mine}
            device.hours = {key: value for key, value in device.hours.items() if key in mine}
            device.carried = {name: time for name, time in device.carried.items() if name in aged}
            watched = self.watched
            device.seen = {k: rows for k, rows in device.seen.items() if (device.family.name, k) in watched}

    def remember(
        self, device: Device, carried: dict[str, float | None], time: int, received: int
    ) -> dict[str, float | None]:
        """What is kept of a row besides last values; returns what it changed."""
        moves: dict[str, float | None] = {}
        for key, node in self.nodes[device.family.name].items():
            match node:
                case Aged(point=point) if point.name in carried:
                    device.carried[point.name] = time
                case Usual(point=point) if carried.get(point.name) is not None:
                    self.enter_hour(device, node, time, carried[point.name])
                case Changed() | Rises():
                    moves[key] = self.step(device, node, carried, time)
                case _:
                    pass
        for name, value in carried.items():
            if (device.family.name, name) in self.watched:
                minute = minute_of(time, received)
                device.seen.setdefault(name, []).append((minute, time, value))
                self.filled.add(minute)
        return moves

    def enter_hour(self, device: Device, node: Usual, time: int, value: float | None) -> None:
        hours, hour = device.hours.setdefault(text(node), {}), time // HOUR
        if hour >= max(hours, default=hour):
            assert value is not None
            hours.setdefault(hour, []).append(round(value * scale_of(node.point, device.family)))

    def step(
        self, device: Device, node: Changed | Rises, carried: dict[str, float | None], time: int
    ) -> float | None:
        key = text(node)
        if isinstance(node, Rises):
            held = Sight(device, time, carried, self.zone).truth(node.condition)
            value = None if held is None else float(held)
        else:
            value = carried.get(node.point.name)
        before = device.before.get(key)
        move = None
        if value is not None:
            device.before[key] = value
            if before is not None:
                move = float(value > before if isinstance(node, Rises) else value != before)
        absent = isinstance(node, Changed) and node.point.name not in carried
        device.fresh[key] = (None if before is None else 0.0) if absent else move
        return move
