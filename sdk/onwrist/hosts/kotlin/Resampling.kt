// The resampler: samples with time stamps in, values and `observed` on the grid out.
//
// From half the grid's rate up a Kaiser-windowed sinc, below straight lines between
// neighbours. Every grid point is computed on its own, in float64 and in one fixed order, so
// that its bits do not depend on which other points are computed with it.
package dev.onwrist

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin
import kotlin.math.sqrt

internal const val SAME_TIME = 1e-6 // seconds within which two times are one
private const val HALF_WIDTH = 9.0 // periods of the slower of the two rates, to each side
private const val CUTOFF = 0.41 // of the grid's rate
private const val KAISER_BETA = 5.0
private const val TABLE_STEPS = 512.0 // per period of the slower rate

/** Seconds past a grid point within which stamps can change it: repair moves them. */
internal fun reach(rate: Double, gridRate: Double): Double {
    val ahead = if (isSlow(rate, gridRate)) 2 / rate else HALF_WIDTH / min(rate, gridRate)
    return ahead + 0.5 / rate
}

private fun isSlow(rate: Double, gridRate: Double): Boolean = rate < gridRate / 2

/**
 * The channels of one sensor at grid points first, first + 1 and so on, point k at
 * k / gridRate.
 *
 * @param times seconds, strictly increasing.
 * @param rows samples of each channel at these times, NaN where one is missing.
 * @param into takes values and observed, in its rows [at].
 */
internal fun resample(
    times: DoubleArray,
    rows: Array<FloatArray>,
    rate: Double,
    gridRate: Double,
    first: Long,
    into: Window,
    at: IntArray,
) {
    if (rows.none { row -> row.any { it.isNaN() } }) {
        resampleWhole(times, rows, rate, gridRate, first, into, at)
        return
    }
    for ((row, samples) in rows.withIndex()) {
        val real = samples.indices.filter { !samples[it].isNaN() }
        val own = DoubleArray(real.size) { times[real[it]] }
        val values = FloatArray(real.size) { samples[real[it]] }
        resampleWhole(own, arrayOf(values), rate, gridRate, first, into, intArrayOf(at[row]))
    }
}

private fun resampleWhole(
    times: DoubleArray,
    rows: Array<FloatArray>,
    rate: Double,
    gridRate: Double,
    first: Long,
    into: Window,
    at: IntArray,
) {
    if (times.isEmpty()) return
    val stamps = repaired(times, rate)
    val slow = isSlow(rate, gridRate)
    val kernel = if (slow) null else Kernel.of(rate, gridRate)
    val found = DoubleArray(rows.size)
    for (k in 0 until into.samples) {
        val time = (first + k).toDouble() / gridRate
        // A point exactly one period away is not observed, however its time is rounded.
        if (distance(stamps, time) >= 1 / rate - SAME_TIME) continue
        if (kernel == null) {
            straightLines(rows, stamps, rate, time, found)
        } else {
            kernel.filtered(rows, stamps, time, found)
        }
        for (row in rows.indices) {
            val place = at[row] * into.samples + k
            into.values[place] = found[row].toFloat()
            into.observed[place] = true
        }
    }
}

/** From a time to the nearest of the stamps. */
private fun distance(times: DoubleArray, time: Double): Double {
    val after = lowerBound(times, time, 0, times.size)
    val left = time - times[max(after - 1, 0)]
    val right = times[min(after, times.size - 1)] - time
    return min(abs(left), abs(right))
}

/** Lines between samples that are less than two periods apart, else the nearest one. */
private fun straightLines(
    rows: Array<FloatArray>,
    times: DoubleArray,
    rate: Double,
    time: Double,
    found: DoubleArray,
) {
    val after = lowerBound(times, time, 0, times.size)
    var left = max(after - 1, 0)
    val right = min(after, times.size - 1)
    val step = times[right] - times[left]
    var share = (time - times[left]) / (if (step > 0) step else 1.0)
    if (step >= 2 / rate - SAME_TIME) {
        if (share > 0.5) left = right
        share = 0.0
    }
    share = min(max(share, 0.0), 1.0) // before the first and after the last sample
    for ((row, values) in rows.withIndex()) {
        val from = values[left].toDouble()
        found[row] = from + (values[right].toDouble() - from) * share
    }
}

/**
 * Running integral of the low-pass kernel, tabulated.
 *
 * A sample stands for the time that is nearer to it than to its neighbours; its weight is
 * the integral over that time. The weights of a grid point sum to one.
 */
private class Kernel(rate: Double, gridRate: Double) {
    private val halfWidth = HALF_WIDTH / min(rate, gridRate)
    private val startTwice: Double // seconds from the middle to the first entry, doubled
    private val scaleHalf: Double // entries a second, halved
    private val table: DoubleArray // the integral; the last two entries are all of it

    init {
        val cutoff = if (rate > gridRate) CUTOFF * gridRate else rate / 2
        val taps = ceil(halfWidth * rate).toInt() + 1
        val steps = max(1, Math.rint(TABLE_STEPS * min(rate, gridRate) / rate).toInt())
        val periods = 2 * taps + 1
        val whole = besselI0(KAISER_BETA)
        val integral = DoubleArray(periods * steps + 1)
        // Adding up what is one period apart makes the difference exactly the tap between.
        for (step in 0 until steps) {
            val tap = DoubleArray(periods) { row ->
                val distance = ((row - taps) * steps + step).toDouble() / steps / rate
                val inside = max(1 - (distance / halfWidth) * (distance / halfWidth), 0.0)
                val kaiser = if (inside > 0) besselI0(KAISER_BETA * sqrt(inside)) / whole else 0.0
                2 * cutoff / rate * sinc(2 * cutoff * distance) * kaiser
            }
            val sum = tap.sum()
            var upTo = 0.0
            for (row in 0 until periods) {
                upTo += tap[row] / sum
                integral[row * steps + step] = upTo
            }
        }
        integral[periods * steps] = integral[periods * steps - 1]
        table = integral
        startTwice = 2 * ((0.5 - taps) / rate)
        scaleHalf = rate * steps / 2
    }

    /** The weighted sums at a time that lies within the kernel of a sample. */
    fun filtered(rows: Array<FloatArray>, times: DoubleArray, time: Double, found: DoubleArray) {
        val first = upperBound(times, time - halfWidth, 0, times.size)
        val last = lowerBound(times, time + halfWidth, first, times.size) - 1
        found.fill(0.0)
        var before = 0.0
        for (sample in first..last) {
            val upTo = if (sample == last) {
                table[table.size - 2]
            } else {
                val away = (times[sample] - time) + (times[sample + 1] - time)
                val position = (away - startTwice) * scaleHalf
                val entry = position.toInt()
                (table[entry + 1] - table[entry]) * (position - entry) + table[entry]
            }
            val weight = if (sample == first) upTo else upTo - before
            for (row in rows.indices) found[row] += rows[row][sample].toDouble() * weight
            before = upTo
        }
    }

    companion object {
        private const val MOST = 64
        private val known = LinkedHashMap<Pair<Double, Double>, Kernel>()

        fun of(rate: Double, gridRate: Double): Kernel = synchronized(known) {
            if (known.size >= MOST) known.clear()
            known.getOrPut(rate to gridRate) { Kernel(rate, gridRate) }
        }
    }
}

private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)

/** The modified Bessel function of the first kind and order 0, by its series. */
private fun besselI0(x: Double): Double {
    var term = 1.0
    var sum = 1.0
    var k = 1
    while (term > sum * 1e-18) {
        term *= (x / (2 * k)) * (x / (2 * k))
        sum += term
        k += 1
    }
    return sum
}
