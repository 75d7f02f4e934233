// Searching sorted time stamps, and windows of several channels in one array.
package dev.onwrist

/** The first of the sorted [times] below [end] that is at or above [time]. */
internal fun lowerBound(times: DoubleArray, time: Double, start: Int, end: Int): Int {
    var low = start
    var high = end
    while (low < high) {
        val middle = (low + high) ushr 1
        if (times[middle] < time) low = middle + 1 else high = middle
    }
    return low
}

/** The first of the sorted [times] below [end] that is above [time]. */
internal fun upperBound(times: DoubleArray, time: Double, start: Int, end: Int): Int {
    var low = start
    var high = end
    while (low < high) {
        val middle = (low + high) ushr 1
        if (times[middle] <= time) low = middle + 1 else high = middle
    }
    return low
}

/**
 * Grid points of several channels: [values] and [observed] row by row, each row [samples]
 * long; values are 0 where not observed.
 */
class Window(
    val channels: Int,
    val samples: Int,
    val values: FloatArray = FloatArray(channels * samples),
    val observed: BooleanArray = BooleanArray(channels * samples),
) {
    /** This window, and after it another of the same channels. */
    internal fun followedBy(next: Window): Window {
        val joined = Window(channels, samples + next.samples)
        for (row in 0 until channels) {
            copyInto(joined, row, 0, samples, row, 0)
            next.copyInto(joined, row, 0, next.samples, row, samples)
        }
        return joined
    }

    /** Grid points from [start] on, so many. */
    internal fun part(start: Int, count: Int): Window {
        val taken = Window(channels, count)
        for (row in 0 until channels) copyInto(taken, row, start, start + count, row, 0)
        return taken
    }

    /** Just these rows. */
    internal fun rows(rows: IntArray): Window {
        val taken = Window(rows.size, samples)
        for ((to, row) in rows.withIndex()) copyInto(taken, row, 0, samples, to, 0)
        return taken
    }

    /** How many grid points of each channel are observed. */
    internal fun counts(): IntArray = IntArray(channels) { row ->
        (row * samples until (row + 1) * samples).count { observed[it] }
    }

    internal fun valuesTensor(): Tensor = Tensor(values, intArrayOf(1, channels, samples))

    internal fun observedTensor(): Tensor =
        Tensor(FloatArray(observed.size) { if (observed[it]) 1f else 0f }, intArrayOf(1, channels, samples))

    private fun copyInto(to: Window, row: Int, start: Int, end: Int, toRow: Int, at: Int) {
        val from = row * samples
        val into = toRow * to.samples + at
        values.copyInto(to.values, into, from + start, from + end)
        observed.copyInto(to.observed, into, from + start, from + end)
    }
}
