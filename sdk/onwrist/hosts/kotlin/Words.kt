// Numbers as messages say them: rounded half to even from their exact value, as everywhere
// else, where Java's own formatting rounds what it prints.
package dev.onwrist

import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode

/** A number with so many decimals. */
internal fun fixed(value: Double, decimals: Int): String =
    if (value.isNaN() || value.isInfinite()) {
        odd(value)
    } else {
        BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString()
    }

/** A number with so many significant digits, and no zeros at its end. */
internal fun significant(value: Double, digits: Int = 6): String {
    if (value.isNaN() || value.isInfinite()) return odd(value)
    if (value == 0.0) return "0"
    val rounded = BigDecimal(value).round(MathContext(digits, RoundingMode.HALF_EVEN))
    val exponent = rounded.precision() - rounded.scale() - 1
    val plain = rounded.stripTrailingZeros()
    if (exponent >= -4 && exponent < digits) return plain.toPlainString()
    val power = if (exponent < 0) "-" else "+"
    val size = kotlin.math.abs(exponent).toString().padStart(2, '0')
    return plain.movePointLeft(exponent).stripTrailingZeros().toPlainString() + "e$power$size"
}

/** A share in whole percent. */
internal fun percent(share: Double): String = fixed(share * 100, 0) + "%"

internal fun listed(names: List<String>): String =
    if (names.size < 2) names.joinToString() else
        names.dropLast(1).joinToString() + " and " + names.last()

/** As many digits as it takes to see that the one is below the other. */
internal fun below(what: String, value: Double, least: Double): String {
    val digits = intArrayOf(2, 4, 9).first { it == 9 || fixed(value, it) != fixed(least, it) }
    return "$what ${fixed(value, digits)} is below ${fixed(least, digits)}"
}

private fun odd(value: Double): String =
    if (value.isNaN()) "nan" else if (value > 0) "inf" else "-inf"
