// JSON text in, maps, lists, strings, numbers (Double), booleans and null out: what the header
// of a safetensors file takes, since nothing else is parsed on the device.
package dev.onwrist

internal class Json private constructor(private val text: String) {
    private var at = 0

    private fun value(depth: Int): Any? {
        if (depth > DEEPEST) fail("it is nested too deeply")
        return when (peek()) {
            '{' -> members(depth)
            '[' -> elements(depth)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun members(depth: Int): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        at += 1
        if (peek() == '}') {
            at += 1
            return found
        }
        while (true) {
            if (peek() != '"') fail("a name is missing")
            val name = string()
            take(':')
            if (name in found) fail("the name '$name' stands twice")
            found[name] = value(depth + 1)
            if (!goesOn('}')) return found
        }
    }

    private fun elements(depth: Int): List<Any?> {
        val found = ArrayList<Any?>()
        at += 1
        if (peek() == ']') {
            at += 1
            return found
        }
        while (true) {
            found.add(value(depth + 1))
            if (!goesOn(']')) return found
        }
    }

    private fun string(): String {
        val found = StringBuilder()
        at += 1
        while (true) {
            when (val letter = next()) {
                '"' -> return found.toString()
                '\\' -> found.append(escaped(next()))
                else -> found.append(letter)
            }
        }
    }

    private fun escaped(letter: Char): Char = when (letter) {
        'n' -> '\n'
        't' -> '\t'
        'r' -> '\r'
        'b' -> '\b'
        'f' -> '\u000c'
        'u' -> {
            if (at + 4 > text.length) fail("it ends too early")
            at += 4
            val code = text.substring(at - 4, at).toIntOrNull(16) ?: fail("an escape is wrong")
            code.toChar()
        }
        else -> letter
    }

    private fun number(): Double {
        val begin = at
        while (at < text.length && text[at] in "+-.0123456789eE") at += 1
        return text.substring(begin, at).toDoubleOrNull() ?: fail("a value is missing")
    }

    private fun word(word: String, value: Any?): Any? {
        if (!text.startsWith(word, at)) fail("a value is missing")
        at += word.length
        return value
    }

    /** Whether a comma follows, and not the end. */
    private fun goesOn(end: Char): Boolean = when (peek()) {
        ',' -> true
        end -> false
        else -> fail("a comma is missing")
    }.also { at += 1 }

    private fun take(letter: Char) {
        if (peek() != letter) fail("'$letter' is missing")
        at += 1
    }

    /** The next letter that is no space. */
    private fun peek(): Char {
        while (at < text.length && text[at] in " \t\r\n") at += 1
        return if (at < text.length) text[at] else fail("it ends too early")
    }

    private fun next(): Char {
        if (at >= text.length) fail("it ends too early")
        at += 1
        return text[at - 1]
    }

    private fun fail(why: String): Nothing = throw BundleError("no JSON at character $at: $why")

    companion object {
        private const val DEEPEST = 64

        fun read(text: String): Any? {
            val json = Json(text)
            val found = json.value(0)
            if (text.substring(json.at).isNotBlank()) json.fail("something follows")
            return found
        }
    }
}
