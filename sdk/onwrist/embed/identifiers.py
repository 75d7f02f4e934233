"""Names of a manifest in, identifiers of another language out.

A bundle's name, channels, tasks and labels become types, fields and constants: `wrist-himae`
is `WristHimae`, `wristHimae` or `WRIST_HIMAE`. Names of one list never become the same
identifier, and none is a word that the language keeps for itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Literal

Language = Literal["c", "kotlin", "swift", "typescript"]
Case = Literal["pascal", "camel", "snake", "upper"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# Keywords, and names that mean something else in most files: types and literals in reach.
_RESERVED: dict[Language, str] = {
    "c": """
        alignas alignof asm auto bool break case char const constexpr continue default do double
        else enum errno extern false float for goto if inline int long main nullptr register
        restrict return short signed sizeof static static_assert struct switch thread_local true
        typedef typeof union unsigned void volatile while NULL EOF TRUE FALSE INFINITY NAN
        and and_eq bitand bitor catch class compl const_cast delete dynamic_cast explicit export
        friend mutable namespace new not not_eq operator or or_eq private protected public
        reinterpret_cast static_cast template this throw try typeid typename using virtual xor
        xor_eq linux unix
    """,
    "kotlin": """
        as break class continue do else false for fun if in interface is null object package
        return super this throw true try typealias typeof val var when while by catch
        constructor delegate dynamic field file finally get import init param property receiver
        set setparam value where abstract actual annotation companion const crossinline data
        enum expect external final infix inline inner internal lateinit noinline open operator
        out override private protected public reified sealed suspend tailrec vararg name ordinal
        entries values Any Array Boolean Byte Char Double Float Int List Long Map Nothing Set
        Short String Unit
    """,
    "swift": """
        associatedtype class deinit enum extension fileprivate func import init inout internal
        let open operator private protocol public rethrows static struct subscript typealias var
        break case continue default defer do else fallthrough for guard if in repeat return
        switch where while as Any catch false is nil super self Self throw throws true try await
        async actor some any Type Protocol none rawValue allCases hashValue description Array
        Bool Character Data Dictionary Double Error Float Int Optional Set String URL Void
    """,
    "typescript": """
        abstract any as async await boolean break case catch class const constructor continue
        debugger declare default delete do else enum export extends false finally for from
        function get if implements import in instanceof interface is keyof let module namespace
        never new null number object of package private protected public readonly require return
        set static string super switch symbol this throw true try type typeof undefined unique
        unknown var void while with yield arguments eval Infinity NaN Array Boolean Date Error
        Function Map Number Object Promise Set String Symbol
    """,
}

RESERVED = {language: frozenset(text.split()) for language, text in _RESERVED.items()}


def words(name: str) -> list[str]:
    """The words of a name in lower case: accents are dropped, other scripts left out."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(x for x in plain if not unicodedata.combining(x))
    return [word.lower() for word in _WORD.findall(plain)]


def pascal(name: str) -> str:
    """`wrist-himae` as WristHimae."""
    return _started("".join(map(_capital, words(name))), "X")


def camel(name: str) -> str:
    """`heart_rate` as heartRate."""
    first, *others = words(name) or ["x"]
    return _started(first + "".join(map(_capital, others)), "x")


def snake(name: str) -> str:
    """`wrist-himae` as wrist_himae."""
    return _started("_".join(words(name)), "x")


def upper(name: str) -> str:
    """`wrist-himae` as WRIST_HIMAE."""
    return snake(name).upper()


_CASES: dict[Case, Callable[[str], str]] = {
    "pascal": pascal,
    "camel": camel,
    "snake": snake,
    "upper": upper,
}


def identifier(name: str, case: Case, language: Language) -> str:
    """One name as an identifier; an underscore follows a word of the language."""
    return _free(_CASES[case](name), language)


def identifiers(names: Iterable[str], case: Case, language: Language) -> dict[str, str]:
    """Each of several different names as an identifier of its own, in their order.

    Where two would be the same (`acc_x` and `acc-x`), the later one ends in a number. No two
    differ in their case alone.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = base = identifier(name, case, language)
        number = 2
        while base.lower() in taken:
            base = f"{plain.rstrip('_')}_{number}"
            number += 1
        taken.add(base.lower())
        found[name] = base
    return found


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _started(text: str, letter: str) -> str:
    """With a letter in front where there is none: of 3d, and of nothing at all."""
    return text if text[:1].isalpha() else f"{letter}{text}"


def _free(text: str, language: Language) -> str:
    return f"{text}_" if text in RESERVED[language] else text
