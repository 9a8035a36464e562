"""One TOML file, all faults of it reported together, each with its key and line. This module only composes.

What a part can be told stands beside the part (style 13); environment variables CITYGATE_<SECTION>__<KEY> go before the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from drivers.products import catalog
from drivers.products.product import DeclarationError, Product
from gateway.api.idempotency_settings import IdempotencySettings
from gateway.api.oidc_settings import OidcSettings
from gateway.backtest.settings import BacktestSettings
from gateway.cases import template
from gateway.cases.settings import DeskSettings
from gateway.commands.settings import CommandSettings
from gateway.console.words import WORDS
from gateway.decoding import PayloadSettings
from gateway.errors import ConfigError
from gateway.evaluation.settings import EvaluationSettings
from gateway.history.mirror_settings import MirrorSettings
from gateway.history.settings import HistorySettings
from gateway.ingest import link_routes, modbus_settings
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.hj212_settings import Hj212Settings
from gateway.ingest.link_settings import LinkSettings
from gateway.ingest.logins import LoginSettings
from gateway.ingest.modbus_settings import ModbusSettings
from gateway.log import SECRET
from gateway.notify import labels
from gateway.notify.labels import LabelSettings
from gateway.notify.open311_settings import Open311Settings
from gateway.notify.open311_words import STATES
from gateway.notify.settings import NotifySettings
from gateway.notify.text import WORDS as MESSAGES
from gateway.pipeline import PipelineSettings
from gateway.registry.joining_settings import JoiningSettings
from gateway.registry.people_settings import PeopleSettings
from gateway.registry.rule_settings import RuleSettings
from rules import correlate

SOCKET: Final = "citygate.sock"  # in the data directory: where a running gateway is spoken to

_TABLE = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")


class Section(BaseSettings):
    """A settings tree that the environment may override and that refuses keys it does not know."""

    model_config = SettingsConfigDict(
        extra="forbid", env_prefix="CITYGATE_", env_nested_delimiter="__", validate_default=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


class HttpSettings(BaseModel):
    """[http]: the API, the stream and the push receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)  # 0 = any free one


class MqttSettings(BaseModel):
    """[mqtt]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: EndpointSettings = EndpointSettings()
    link: tuple[LinkSettings, ...] = ()

    @field_validator("link")
    @classmethod
    def _no_twins(cls, links: tuple[LinkSettings, ...]) -> tuple[LinkSettings, ...]:
        for one in links:
            rivals = [each for each in links if each is not one]
            if any(each.name == one.name for each in rivals):
                raise ValueError(f"two links are called {one.name}; give each its own name")
            if any(
                (each.host, each.port, each.client) == (one.host, one.port, one.client) for each in rivals
            ):
                raise ValueError(
                    f"two links join {one.host}:{one.port} as {one.client}; give each a client_id"
                )
        return links


class ClockSettings(BaseModel):
    """[clocks]: how far a device's stamp may lie from its receipt before the receive time is used instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ahead_s: int = Field(60, ge=1)
    behind_days: int = Field(7, ge=1)
    wrong_s: int = Field(60, ge=1)  # a device's clock that is further off by median counts as wrong
    believed_days: int = Field(400, ge=1)  # a host's clock further ahead of what is recorded is not believed


class OperationsSettings(BaseModel):
    """[operations]: where devices, rules, alarms, cases, outbox and audit live."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""  # "" = SQLite in the data directory


class Config(Section):
    """The whole file."""

    data: Path = Path("data")
    zone: str = "Asia/Shanghai"
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: str = Field("text", pattern="^(text|json)$")
    log_repeats: int = Field(10, ge=0)  # of the same warning within a minute; 0 = all
    pipeline: PipelineSettings = PipelineSettings()
    mqtt: MqttSettings = MqttSettings()
    hj212: Hj212Settings = Hj212Settings()
    http: HttpSettings = HttpSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    clocks: ClockSettings = ClockSettings()
    logins: LoginSettings = LoginSettings()
    people: PeopleSettings = PeopleSettings()
    oidc: OidcSettings = OidcSettings()
    payloads: PayloadSettings = PayloadSettings()
    joining: JoiningSettings = JoiningSettings()
    history: HistorySettings = HistorySettings()
    mirror: MirrorSettings = MirrorSettings()
    operations: OperationsSettings = OperationsSettings()
    desk: DeskSettings = DeskSettings()
    rules: RuleSettings = RuleSettings()
    commands: CommandSettings = CommandSettings()
    backtest: BacktestSettings = BacktestSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    notify: NotifySettings = NotifySettings()
    labels: LabelSettings = LabelSettings()
    open311: Open311Settings = Open311Settings()
    modbus: tuple[ModbusSettings, ...] = ()
    product: list[dict[str, Any]] = Field(default_factory=list)
    case: list[dict[str, Any]] = Field(default_factory=list)
    fold: list[dict[str, Any]] = Field(default_factory=list)
    inhibit: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {zone!r}; use a name such as Asia/Shanghai") from error
        return zone

    @field_validator("notify")
    @classmethod
    def _escalations_known(cls, notify: NotifySettings, info: ValidationInfo) -> NotifySettings:
        desk: DeskSettings = info.data.get("desk", DeskSettings())
        known = {step.to for step in desk.escalation}
        strange = sorted({word for each in notify.channels for word in each.escalations} - known)
        if strange and "desk" in info.data:
            said = ", ".join(sorted(known)) or "none"
            raise ValueError(
                f"escalations: no step of desk.escalation is for {strange[0]} (there are: {said})"
            )
        return notify

    @field_validator("open311")
    @classmethod
    def _forwards_apart(cls, open311: Open311Settings, info: ValidationInfo) -> Open311Settings:
        notify: NotifySettings = info.data.get("notify", NotifySettings())
        twins = {each.name for each in notify.channels} & {each.name for each in open311.forward}
        if twins:
            raise ValueError(f"forward and a channel of notify are both named {', '.join(sorted(twins))}")
        return open311

    def products(self) -> Mapping[str, Product]:
        """Shipped and declared products; raises ConfigError with every fault of every declaration."""
        extra: list[Product] = []
        faults: list[str] = []
        for number, table in enumerate(self.product):
            try:
                extra.append(Product.from_table(table))
            except DeclarationError as error:
                faults += [f"product.{number}: {fault}" for fault in error.faults]
        if not faults:
            try:
                return catalog(extra)
            except ValueError as error:
                faults = [f"product: {error}"]
        raise ConfigError(faults)

    def links(self) -> tuple[LinkSettings, ...]:
        """The broker links, with products that they can use; raises ConfigError."""
        products = self.products()
        faults = [
            f"mqtt.link.{number}.{key}: {fault}"
            for number, link in enumerate(self.mqtt.link)
            for key, fault in link_routes.faults(link, products)
        ]
        if faults:
            raise ConfigError(faults)
        return self.mqtt.link

    def desk_settings(self) -> DeskSettings:
        """The desk's, in the city's zone where it names none of its own."""
        own = "zone" in self.desk.model_fields_set
        return self.desk if own else self.desk.model_copy(update={"zone": self.zone})

    def templates(self) -> template.Templates:
        """Shipped case templates with the file's own; raises ConfigError."""
        return template.parse(self.case, template.shipped())

    def correlation(self) -> correlate.Correlation:
        """Shipped folds and inhibitions with the file's own; raises ConfigError."""
        try:
            return correlate.read(self.fold, self.inhibit, correlate.shipped())
        except correlate.CorrelationError as error:
            raise ConfigError(error.faults) from error


def load(path: Path) -> Config:
    """The checked configuration; raises ConfigError with every fault of the file."""
    table, text = load_table(path)
    faults: list[str] = []
    config: Config | None = None
    try:
        config = Config(**table)
    except ValidationError as error:
        faults += tables_to_faults(path, text, error)
    lists = config or Config(
        product=_tables(table, "product"),
        case=_tables(table, "case"),
        fold=_tables(table, "fold"),
        inhibit=_tables(table, "inhibit"),
    )
    for read in (lists.products, lists.templates, lists.correlation):
        faults += _faults_of(path, read)
    if config is not None:
        faults += [f"{path}: {fault}" for fault in modbus_settings.faults(config.modbus)]
    if config is not None:
        faults += [
            f"{path}:{line_of(text, ['labels', *key.split('.')])}: labels.{key}: {fault}"
            for key, fault in labels.faults(config.labels, {**STATES, **MESSAGES, **WORDS})
        ]
    if config is not None and not faults:
        faults = _faults_of(path, config.links)
    if faults or config is None:
        raise ConfigError(faults)
    return config


def _faults_of(path: Path, read: Callable[[], object]) -> list[str]:
    try:
        read()
    except ConfigError as error:
        return [f"{path}: {fault}" for fault in error.faults]
    return []


def _tables(table: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def load_table(path: Path) -> tuple[dict[str, Any], str]:
    """The file's table and text; raises ConfigError where it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}"]) from error
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from error


def tables_to_faults(path: Path, text: str, error: ValidationError) -> list[str]:
    """One line a fault: file, line, key, what is wrong."""
    return [_fault(path, text, detail) for detail in error.errors(include_url=False)]


def _fault(path: Path, text: str, detail: ErrorDetails) -> str:
    place = [str(part) for part in detail["loc"]]
    line = line_of(text, place)
    where = f"{path}:{line}" if line else str(path)
    said = (
        "unknown key; see config.toml for those there are"
        if detail["type"] == "extra_forbidden"
        else detail["msg"]
    )
    hidden = isinstance(detail["input"], dict) or bool(
        SECRET.intersection(place)
    )  # a table may hold a secret
    given = (
        ""
        if hidden or detail["type"] in {"extra_forbidden", "missing"}
        else f" (given {detail['input']!r:.60})"
    )
    return f"{where}: {'.'.join(place)}: {said}{given}"


def line_of(text: str, place: list[str]) -> int:
    """The line that sets a key, or that of the nearest table or key above it; 0 where the file has none of them."""
    best, best_depth = 0, 0
    table: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            name = header[1].replace('"', "")
            table = name.split(".")
            if line.lstrip().startswith("[["):
                table.append(str(counts.get(name, 0)))
                counts[name] = counts.get(name, 0) + 1
            keys = table
        elif key := _KEY.match(line):
            keys = [*table, *key[1].replace('"', "").split(".")]
        else:
            continue
        depth = len(keys)
        if depth > best_depth and keys == place[:depth]:
            best, best_depth = number, depth
    return best
