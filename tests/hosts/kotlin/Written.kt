// Maps, lists, numbers and texts in, JSON out. Integers stay integers, and what is not finite
// becomes null, as in the vectors.
package dev.onwrist

internal fun json(value: Any?): String = buildString { write(value) }

private fun StringBuilder.write(value: Any?) {
    when (value) {
        null -> append("null")
        is Float -> write(value.toDouble())
        is Double -> append(if (value.isNaN() || value.isInfinite()) "null" else value.toString())
        is Number, is Boolean -> append(value.toString())
        is Map<*, *> -> each(value.entries, '{', '}') { (name, own) ->
            quoted(name.toString())
            append(": ")
            write(own)
        }
        is Iterable<*> -> each(value, '[', ']') { write(it) }
        is IntArray -> write(value.asList())
        is FloatArray -> write(value.asList())
        is DoubleArray -> write(value.asList())
        is BooleanArray -> write(value.asList())
        else -> quoted(value.toString())
    }
}

private fun <T> StringBuilder.each(values: Iterable<T>, begin: Char, end: Char, one: (T) -> Unit) {
    append(begin)
    for ((k, value) in values.withIndex()) {
        if (k > 0) append(", ")
        one(value)
    }
    append(end)
}

private fun StringBuilder.quoted(text: String) {
    append('"')
    for (letter in text) {
        if (letter == '"' || letter == '\\' || letter < ' ') {
            append("\\u").append(letter.code.toString(16).padStart(4, '0'))
        } else {
            append(letter)
        }
    }
    append('"')
}
