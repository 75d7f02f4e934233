// What a stream remembers of each channel: a running mean and scale over minutes.
//
// Blocks of grid points in, the graph's `baseline` input out. Old blocks are forgotten
// exponentially, and every block is merged relative to the mean so far, in float64, so that
// rounding does not add up over a day.
package dev.onwrist

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.sqrt

private const val LEAST = 10.0 // seconds of grid points that a mean takes to be worth saying
private const val NOTHING = 1e-9

/** Running mean and scale (standard deviation) of each channel. */
internal class Baseline(private val channels: Int, rate: Double, settings: BaselineOf) {
    val samples = settings.samples
    private val kept = exp(-samples / rate / settings.seconds)
    private val least = LEAST * rate

    /** Weight, mean, and weighted sum of (value - mean)^2 of each channel; never written into. */
    var state: Array<DoubleArray> = Array(3) { DoubleArray(channels) }

    /** Take one block, the merge of Chan, Golub and LeVeque (1979). */
    fun update(block: Window) {
        val next = Array(3) { DoubleArray(channels) }
        for (row in 0 until channels) {
            val places = row * block.samples until (row + 1) * block.samples
            val first = places.firstOrNull { block.observed[it] }
            var mean = state[1][row]
            // A mean of nothing starts at a value, so that differences from it are small.
            if (state[0][row] == 0.0 && first != null) mean = block.values[first].toDouble()
            var total = 0.0
            var squares = 0.0
            var count = 0
            for (place in places) {
                if (!block.observed[place]) continue
                val deviation = block.values[place].toDouble() - mean
                total += deviation
                squares += deviation * deviation
                count += 1
            }
            val weight = state[0][row] * kept + count
            val step = total / max(weight, NOTHING)
            next[0][row] = weight
            next[1][row] = mean + step
            next[2][row] = max(state[2][row] * kept + squares - total * step, 0.0)
        }
        state = next
    }

    /** Mean and scale of each channel, both NaN where too little is remembered. */
    val usual: Array<DoubleArray>
        get() = Array(channels) { row ->
            val weight = state[0][row]
            if (weight < least) {
                doubleArrayOf(Double.NaN, Double.NaN)
            } else {
                doubleArrayOf(state[1][row], sqrt(state[2][row] / max(weight, NOTHING)))
            }
        }

    val input: Tensor get() = baselineInput(usual)
}

/** The graph's `baseline` input (1, C, 3): mean, scale and 1; zeros where either is NaN. */
internal fun baselineInput(usual: Array<DoubleArray>): Tensor {
    val numbers = FloatArray(usual.size * 3)
    for ((row, known) in usual.withIndex()) {
        if (known[0].isNaN() || known[1].isNaN()) continue
        numbers[3 * row] = known[0].toFloat()
        numbers[3 * row + 1] = known[1].toFloat()
        numbers[3 * row + 2] = 1f
    }
    return Tensor(numbers, intArrayOf(1, usual.size, 3))
}
