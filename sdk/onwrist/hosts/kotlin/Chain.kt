// The graphs of a day, one after the other: a window in, all outputs out. Embed makes tokens
// of the samples, encode takes those that there are, decode gives every grid point.
package dev.onwrist

internal class Chain(
    val cut: Cut,
    private val embed: Engine,
    private val encode: Engine,
    private val decode: Engine?,
) {
    /** The outputs of a whole window; null where there is no token. */
    fun window(window: Window, clock: Int, impute: Boolean): Map<String, Tensor>? {
        val present = cut.present(window)
        if (present.none { it }) return null
        return answer(embed(window), present, window, clock, impute)
    }

    /** The tokens of a window, or of one patch, row by row. */
    fun embed(window: Window): FloatArray {
        val inputs = mapOf("values" to window.valuesTensor(), "observed" to window.observedTensor())
        return embed.run(inputs, window.samples.toString()).getValue("tokens").data
    }

    /** The outputs of a window whose tokens are known. */
    fun answer(
        tokens: FloatArray,
        present: BooleanArray,
        window: Window,
        clock: Int,
        impute: Boolean,
    ): Map<String, Tensor> {
        val slots = cut.slots(present)
        val width = cut.width
        val rows = FloatArray(slots.size * width)
        for ((row, token) in slots.withIndex()) {
            if (token >= 0) tokens.copyInto(rows, row * width, token * width, (token + 1) * width)
        }
        val time = Tensor.of(clock.toFloat())
        val signature = slots.size.toString().takeIf { cut.sizes.size > 1 }
        val outputs = encode.run(
            mapOf(
                "tokens" to Tensor(rows, intArrayOf(1, slots.size, width)),
                "slots" to Tensor(FloatArray(slots.size) { slots[it].toFloat() }, intArrayOf(1, slots.size)),
                "clock" to time,
            ),
            signature,
        )
        val answers = outputs - "encoded"
        if (!impute) return answers
        val encoded = outputs.getValue("encoded").data
        val placed = FloatArray(present.size * width)
        for ((row, token) in slots.withIndex()) {
            if (token >= 0) encoded.copyInto(placed, token * width, row * width, (row + 1) * width)
        }
        val row = checkNotNull(cut.interpolated)
        val seen = window.observed.copyOfRange(row * window.samples, (row + 1) * window.samples)
        val line = intArrayOf(1, window.samples)
        val imputed = checkNotNull(decode).run(
            mapOf(
                "encoded" to Tensor(placed, intArrayOf(1, present.size, width)),
                "present" to Tensor(
                    FloatArray(present.size) { if (present[it]) 1f else 0f },
                    intArrayOf(1, present.size),
                ),
                "values" to window.valuesTensor(),
                "observed" to window.observedTensor(),
                "before" to Tensor(nearestBefore(seen), line),
                "after" to Tensor(nearestAfter(seen), line),
                "clock" to time,
            ),
            null,
        )
        return answers + ("imputed" to imputed.getValue("imputed"))
    }
}
