// Samples of a sensor of motion in; out, what they look like: gravity, noise, runs, rails.
package dev.onwrist

import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

internal const val AXES = 3
internal const val FEATURES = 9
private const val REST = 0.8 // seconds that a sensor must be quiet
private const val QUIET = 0.05 // greatest deviation of the acceleration there, as share
private const val EQUAL = 1e-4f // two samples are equal if they differ by less, g or deg/s
private const val LEAST_FEATURE = 1e-3 // deviations below are taken as this

/**
 * What a window of a sensor looks like.
 *
 * @property count grid points at which all six channels are observed.
 * @property gravity median magnitude of the acceleration in g.
 * @property restLow second least mean magnitude of a stretch at rest, as [restHigh] the
 *   second greatest; infinite where there are not two.
 * @property shakes root mean square of acceleration about its mean, [turns] of turning.
 * @property run longest run of equal samples of each channel.
 * @property rails how many samples of each channel are its least, or its greatest.
 * @property features mean acceleration in g, logarithms of the deviation of each axis.
 */
internal class Looks(
    val count: Int,
    val gravity: Double,
    val restLow: Double,
    val restHigh: Double,
    val shakes: Double,
    val turns: Double,
    val run: IntArray,
    val rails: IntArray,
    val features: DoubleArray,
)

/** What a window of six channels looks like: acceleration in g, then turning in deg/s. */
internal fun looks(motion: Window, rate: Double): Looks {
    val samples = motion.samples
    val channels = motion.channels
    val seen = BooleanArray(samples) { point ->
        (0 until channels).all { motion.observed[it * samples + point] }
    }
    val count = seen.count { it }
    val counted = max(count, 1)
    val mean = FloatArray(channels) { row ->
        var sum = 0.0
        for (point in 0 until samples) if (seen[point]) sum += motion.values[row * samples + point]
        (sum / counted).toFloat()
    }
    val centred = FloatArray(channels * samples) { place ->
        if (seen[place % samples]) motion.values[place] - mean[place / samples] else 0f
    }
    val variance = DoubleArray(channels) { row ->
        var sum = 0.0
        for (point in 0 until samples) {
            val off = centred[row * samples + point].toDouble()
            sum += off * off
        }
        sum / counted
    }
    val magnitude = FloatArray(samples) { point ->
        var square = 0f
        for (row in 0 until AXES) {
            val along = motion.values[row * samples + point]
            square += along * along
        }
        sqrt(square)
    }
    val rest = atRest(magnitude, seen, max(2, Math.rint(REST * rate).toInt()))
    return Looks(
        count,
        median(magnitude, seen),
        rest.first,
        rest.second,
        sqrt(variance[0] + variance[1] + variance[2]),
        sqrt(variance[3] + variance[4] + variance[5]),
        IntArray(channels) { longestRun(motion.values, it * samples, seen) },
        IntArray(channels) { atExtremes(centred, it * samples, samples, count) },
        DoubleArray(FEATURES) { k ->
            if (k < AXES) mean[k].toDouble() else ln(max(sqrt(variance[k - AXES]), LEAST_FEATURE))
        },
    )
}

/** The lower median of what is seen. */
private fun median(magnitude: FloatArray, seen: BooleanArray): Double {
    val ordered = magnitude.filterIndexed { point, _ -> seen[point] }.sorted()
    if (ordered.isEmpty()) return Double.POSITIVE_INFINITY
    return ordered[(ordered.size - 1) / 2].toDouble()
}

/** Second least and second greatest mean over the stretches of [length] that are quiet. */
private fun atRest(magnitude: FloatArray, seen: BooleanArray, length: Int): Pair<Double, Double> {
    val means = ArrayList<Double>()
    for (stretch in 0 until magnitude.size / length) {
        val points = stretch * length until (stretch + 1) * length
        if (points.any { !seen[it] }) continue
        var sum = 0.0
        var square = 0.0
        for (point in points) {
            sum += magnitude[point]
            square += magnitude[point].toDouble() * magnitude[point]
        }
        val mean = sum / length
        if (square / length <= mean * mean * (1 + QUIET * QUIET)) means.add(mean)
    }
    if (means.size < 2) return Double.POSITIVE_INFINITY to Double.NEGATIVE_INFINITY
    means.sort()
    return means[1] to means[means.size - 2]
}

/** Samples in the longest run of equal ones of a channel; gaps end a run. */
private fun longestRun(values: FloatArray, start: Int, seen: BooleanArray): Int {
    var longest = 1
    var run = 1
    for (point in 1 until seen.size) {
        val step = abs(values[start + point] - values[start + point - 1])
        val goes = step < EQUAL && seen[point] && seen[point - 1]
        run = if (goes) run + 1 else 1
        longest = max(longest, run)
    }
    return longest
}

/** How many samples of a channel are its least, or its greatest if that is more. */
private fun atExtremes(centred: FloatArray, start: Int, samples: Int, count: Int): Int {
    val places = start until start + samples
    val least = places.minOf { centred[it] } + EQUAL
    val most = places.maxOf { centred[it] } - EQUAL
    return min(max(places.count { centred[it] <= least }, places.count { centred[it] >= most }), count)
}
