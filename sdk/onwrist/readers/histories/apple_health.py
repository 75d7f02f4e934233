"""Apple Health's export.xml, alone or in its export.zip or folder, in; records out.

Read as a stream: memory does not grow with the file but by what is kept, heart rate and
steps. Apple writes "2024-03-01 08:15:23 +0100" in the zone that the phone was in when it
exported, also for days abroad. Sleep and workouts name the zone that they were in; if most
name one, it decides. Age, sex and all else are not looked at.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO
from xml.parsers import expat
from zoneinfo import ZoneInfo

from onwrist.readers import progress
from onwrist.readers.archives import Member
from onwrist.readers.histories.local_zones import ahead, named
from onwrist.readers.histories.records import Gathered
from onwrist_runtime.errors import RecordingError

NAME = "an Apple Health export (export.xml, or the .zip or folder with it)"

_HEAD = 1 << 20  # bytes within which the document's type must end
_BLOCK = 1 << 18
_DEEPEST = 100  # tags in tags; real ones are 4
_PENDING = 1 << 24  # bytes of one tag; the longest real ones have a few thousand
# Characters that XML has not and some exports have, as spaces. NUL is of another file.
_ILLEGAL = bytes({*range(1, 32)} - set(b"\t\n\r"))
_SPACED = bytes.maketrans(_ILLEGAL, b" " * len(_ILLEGAL))
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, of whose characters such bytes are halves
_HEART_RATE = "HKQuantityTypeIdentifierHeartRate"
_STEPS = "HKQuantityTypeIdentifierStepCount"
_PER_MINUTE = {"count/min": 1.0, "count/s": 60.0}
_ENOUGH, _MOST_ZONES = 3, 1000  # records that name a zone, zones that are counted
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d):?(\d\d)")


def files(path: Path, members: Sequence[Member]) -> list[Member]:
    """The export among files; its name is in the language of the phone, so its root decides."""
    xml = [x for x in members if x.file.lower().endswith(".xml") and x.name.count("/") <= 2]
    if members and members[0].is_at(path):
        return xml
    # export_cda.xml lies beside it and holds the same in another form.
    return [x for x in xml[:50] if _is_export(x)]


def gather(path: Path, found: Sequence[Member]) -> Gathered:
    """Records of an export.

    Raises
    ------
    RecordingError
        Another root, entities, XML that is cut or damaged, or a record without what it must
        have; with the line.
    """
    if len(found) > 1:
        names = ", ".join(x.name for x in found[:3])
        raise RecordingError(f"{path}: several exports, {names}; give one of them")
    gathered = Gathered()
    with found[0].open() as file:
        parser = _Parser(found[0].where, gathered)
        parser.read(file, found[0].size)
    home = _home(parser.zones)
    if home is not None:
        gathered.rezone(lambda times: ahead(times, home))
        gathered.notes.append(f"days are those of {home.key}, which most of its records name")
    elif len(parser.offsets) == 1:
        gathered.notes.append(
            f"all times are written {next(iter(parser.offsets)) / 3600:+g} h of UTC: where "
            "clocks were set otherwise, days are off by the difference"
        )
    return gathered


def _is_export(member: Member) -> bool:
    if PurePosixPath(member.name).parts[0] == "__MACOSX":
        return False
    head = member.head(4096)
    return b"<!DOCTYPE HealthData" in head or b"<HealthData" in head


def _home(named_by: Counter[str]) -> ZoneInfo | None:
    """The zone that most records name, if enough of them do."""
    if not named_by:
        return None
    name, count = named_by.most_common(1)[0]
    enough = count >= _ENOUGH and 2 * count > named_by.total()
    return named(name) if enough else None


class _Parser:
    """Takes the records that are asked for out of a stream of XML."""

    def __init__(self, where: str, gathered: Gathered) -> None:
        self._where, self._gathered = where, gathered
        self.zones: Counter[str] = Counter()  # that sleep and workouts say they were in
        self.offsets: set[int] = set()
        self._root: str | None = None
        self._depth = 0
        self._dates: dict[str, int] = {}
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, file: IO[bytes], size: int) -> None:
        try:
            block = self._without_type(file)
            table = None if block.startswith(_WIDE) else _SPACED
            fed = 0
            while block:
                self._parser.Parse(block.translate(table), False)
                fed += len(block)
                progress.tell(fed, size)
                if fed - self._parser.CurrentByteIndex > _PENDING:
                    raise self._wrong("a tag or text of more than 16 MB")
                block = file.read(_BLOCK)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            why = expat.ErrorString(error.code)
            line = f"{self._where}, line {error.lineno:,}"
            if error.code in (
                expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
                expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
            ):
                why = "the file ends here, before it is complete"
            raise RecordingError(f"{line}: {why}; export it again") from None

    def _without_type(self, file: IO[bytes]) -> bytes:
        """The first block, with blank lines for the DTD.

        It is of no use, that of iOS 16 is not well-formed, and entities could only harm.
        """
        head = file.read(_HEAD)
        begin = head.find(b"<!DOCTYPE")
        root = re.search(rb"<[A-Za-z]", head)
        if begin < 0 or (root and root.start() < begin):
            return head
        inner = re.compile(rb"[^\[>]*(\[.*?\]\s*)?>", re.DOTALL).match(head, begin)
        if inner is None:
            raise RecordingError(f"{self._where}: a document type that does not end")
        if b"<!ENTITY" in inner[0]:
            raise self._entities()
        blank = b"\n" * inner[0].count(b"\n")
        return head[:begin] + blank + head[inner.end() :]

    def _entity(self, *_: object) -> None:
        raise self._entities()

    def _entities(self) -> RecordingError:
        return RecordingError(
            f"{self._where}: declares entities, which no export of Apple Health does; refused"
        )

    def _wrong(self, what: str) -> RecordingError:
        return RecordingError(
            f"{self._where}, line {self._parser.CurrentLineNumber:,}: {what[:200]}"
        )

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _start(self, tag: str, given: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:  # each takes memory until it ends
            raise self._wrong(f"tags inside of {_DEEPEST} others")
        if self._root is None:
            self._root = tag
            if tag != "HealthData":
                raise RecordingError(
                    f"{self._where}: not an Apple Health export: its root is {tag[:60]!r}, "
                    "not 'HealthData'; give the export.xml of Health > Export All Health Data"
                )
        if tag == "MetadataEntry" and given.get("key") == "HKTimeZone":
            if len(self.zones) < _MOST_ZONES:
                self.zones[given.get("value", "")[:64]] += 1
            return
        if tag != "Record":
            return
        kind = given.get("type")
        if kind == _HEART_RATE:
            factor = _PER_MINUTE.get(given.get("unit", ""))
            if factor is None:
                self._unknown_unit("heart rate", given)
                return
            time, offset = self._time(given, "startDate")
            value = factor * self._number(given)
            self._gathered.beat(_source(given), time, offset, value)
        elif kind == _STEPS:
            if given.get("unit") != "count":
                self._unknown_unit("steps", given)
                return
            start, offset = self._time(given, "startDate")
            end, _ = self._time(given, "endDate")
            value = self._number(given)
            self._gathered.count(_source(given), start, end, offset, value)

    def _unknown_unit(self, what: str, given: dict[str, str]) -> None:
        unit = given.get("unit", "")[:20]
        self._gathered.left_out[f"records of {what} in {unit!r}"] += 1

    def _number(self, given: dict[str, str]) -> float:
        text = given.get("value", "")
        try:
            return float(text)
        except ValueError:
            raise self._wrong(f"{text[:40]!r} where a value belongs") from None

    def _time(self, given: dict[str, str], name: str) -> tuple[int, int]:
        """Unix seconds, and by how many of them local time is ahead."""
        text = given.get(name, "")
        match = _STAMP.fullmatch(text)
        if match is not None:
            date, hour, minute, second, sign, hours, minutes = match.groups()
            offset = 3600 * int(hours) + 60 * int(minutes)
            offset = -offset if sign == "-" else offset
            day = self._dates.get(date)
            if day is None:
                day = self._dates[date] = _day(date)
            if day >= 0:
                self.offsets.add(offset)
                local = day + 3600 * int(hour) + 60 * int(minute) + int(second)
                return local - offset, offset
        raise self._wrong(f"{text[:40]!r} where {name} belongs")


def _source(given: dict[str, str]) -> str:
    """Its name, in which Apple writes "Apple Watch" with a space that does not break."""
    return given.get("sourceName", "").replace("\xa0", " ")


def _day(date: str) -> int:
    """Seconds at which a date begins, as if it were UTC; -1 if there is no such date."""
    try:
        return (datetime.date.fromisoformat(date).toordinal() - 719_163) * 86_400
    except ValueError:
        return -1
