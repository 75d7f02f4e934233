// Heart rate and counts of steps as they are recorded in, samples for a day of minutes out.
//
// The rules are those by which onwrist reads exports of the same records (HISTORY.md beside
// its readers): a count is split among its minutes, and a minute in which a heart rate was
// measured and no step counted has 0 steps. Nothing says so of a minute without heart rate.
package dev.onwrist.example

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/** Steps of an interval, in seconds of local time. */
data class Steps(val start: Double, val end: Double, val count: Long)

/** Samples in the order of time, no two at one stamp, as a stream or a signal takes them. */
class Samples(val times: DoubleArray, val values: FloatArray) {
    companion object {
        /** In order; of several at one stamp the smallest, as a stream does. */
        fun of(pairs: List<Pair<Double, Float>>): Samples {
            val kept = pairs.sortedWith(compareBy({ it.first }, { it.second }))
                .distinctBy { it.first }
            return Samples(
                DoubleArray(kept.size) { kept[it].first },
                FloatArray(kept.size) { kept[it].second },
            )
        }
    }
}

private const val MINUTE = 60.0
private const val LONGEST = 3600.0 // what was counted over longer says nothing about a minute
private const val APART = 1e-3 // seconds that a share lies behind the beginning of its minute

/**
 * The channel `steps`: each minute's shares of all counts, which a day adds up, and a 0 in
 * each minute with heart rate.
 */
fun stepSamples(steps: List<Steps>, heartTimes: DoubleArray): Samples {
    val pairs = ArrayList<Pair<Double, Float>>()
    val worn = heartTimes.map { floor(it / MINUTE) }.distinct()
    for (minute in worn) pairs.add(minute * MINUTE to 0f)
    for (counted in steps) {
        val length = counted.end - counted.start
        if (length < 0 || length > LONGEST || counted.count < 0) continue
        var begin = counted.start
        do {
            val next = (floor(begin / MINUTE) + 1) * MINUTE
            val end = min(counted.end, next)
            val share = if (length > 0) (end - begin) / length else 1.0
            val stamp = max((begin + end) / 2, next - MINUTE + APART)
            pairs.add(stamp to (counted.count * share).toFloat())
            begin = end
        } while (begin < counted.end)
    }
    return Samples.of(pairs)
}
