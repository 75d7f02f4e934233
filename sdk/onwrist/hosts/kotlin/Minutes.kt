// Samples with time stamps in, the mean or sum of each minute and `observed` out.
//
// Interval k is [zero + k period, zero + (k + 1) period). Nothing is interpolated and no
// stamp is repaired: an interval is observed if a sample lies in it, and one on an edge
// belongs to the interval that begins there.
package dev.onwrist

import kotlin.math.abs
import kotlin.math.floor

internal const val LARGEST = 1e15 // no graph is given a number of this magnitude
internal const val LARGEST_SAMPLE = 1e15f // the same as float32, in which samples come

/** The intervals of a clock: [period] whole seconds, [zero] a local midnight. */
internal class Minutes(val period: Double, val zero: Double) {
    fun start(interval: Long): Double = zero + interval.toDouble() * period

    /** The interval in which a time lies. */
    fun holding(time: Double): Long {
        var interval = floor((time - zero) / period).toLong()
        // The division rounds, the edges count.
        while (time < start(interval)) interval -= 1
        while (time >= start(interval + 1)) interval += 1
        return interval
    }

    /** One channel's intervals from [first] on, into a row of a window. */
    fun aggregate(
        times: DoubleArray,
        samples: FloatArray,
        sum: Boolean,
        first: Long,
        into: Window,
        row: Int,
    ) {
        var next = lowerBound(times, start(first), 0, times.size)
        for (k in 0 until into.samples) {
            val end = start(first + k + 1)
            var total = 0.0
            var taken = 0
            while (next < times.size && times[next] < end) {
                if (!samples[next].isNaN()) {
                    total += samples[next].toDouble()
                    taken += 1
                }
                next += 1
            }
            if (taken == 0) continue
            if (!sum) total /= taken
            if (abs(total) < LARGEST) {
                into.values[row * into.samples + k] = total.toFloat()
                into.observed[row * into.samples + k] = true
            }
        }
    }
}
