// The repair of time stamps: a channel's stamps in, those of its sampling clock out.
//
// A sensor samples by a steady clock, but its samples often get their stamps where they
// arrive. A stamp that is off the line through the stamps before it is moved onto that line;
// regular stamps, whatever their drift, stay as they are to the bit.
package dev.onwrist

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

internal const val HISTORY = 14 // stamps before one that tell where its clock is
internal const val STRAY = 1.0 / 16 // of a period: further off the line a stamp is moved
private const val FURTHEST = 7.0 / 16 // of a period that a stamp is moved at most

/**
 * The stamps of one channel on the line of its clock.
 *
 * With p = 1 / rate, samples belong to one run if the steps between them are within p / 2 of
 * p. The line at sample i is the lower median of t[i - k] + k p over k = 0 ... 14, as far as
 * the run goes back. A stamp within p / 16 of the line stays; others are moved to it, by
 * 7 p / 16 at most, and not forward if the next sample follows within p / 2.
 */
internal fun repaired(times: DoubleArray, rate: Double): DoubleArray {
    val period = 1 / rate
    val off = offLine(times, period) ?: return times
    return DoubleArray(times.size) { i ->
        if (abs(off[i]) <= STRAY * period) {
            times[i]
        } else {
            var by = max(min(off[i], FURTHEST * period), -FURTHEST * period)
            val follows = i + 1 < times.size && times[i + 1] - times[i] - period <= -period / 2
            if (follows) by = min(by, 0.0)
            by + times[i]
        }
    }
}

/** Which stamps are off their line by more than p / 16, as in [repaired]. */
internal fun strays(times: DoubleArray, rate: Double): BooleanArray {
    val off = offLine(times, 1 / rate) ?: return BooleanArray(times.size)
    return BooleanArray(times.size) { abs(off[it]) > STRAY / rate }
}

/** The line less the stamp of each sample; null if none can be off by p / 16. */
private fun offLine(times: DoubleArray, period: Double): DoubleArray? {
    // A step no further off the period than this keeps any sum of 14 within p / 16.
    val steady = STRAY / HISTORY * period
    var some = false
    for (i in 1 until times.size) {
        val apart = abs(times[i] - times[i - 1] - period)
        if (apart > steady && apart < period / 2) some = true
    }
    if (!some) return null
    val off = DoubleArray(times.size)
    val lines = DoubleArray(HISTORY + 1)
    var begins = 0
    for (i in times.indices) {
        if (i > 0 && abs(times[i] - times[i - 1] - period) >= period / 2) begins = i
        val history = min(i - begins, HISTORY)
        for (k in 0..history) lines[k] = times[i - k] - times[i] + k * period
        lines.sort(0, history + 1)
        off[i] = lines[history / 2]
    }
    return off
}
