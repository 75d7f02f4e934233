// The accepted samples of one sensor, in the order of time, from what is still needed on.
//
// Samples come in any order, a row for each channel with one stamp for all of them; a channel
// that has no sample at a stamp is NaN there.
package dev.onwrist

import kotlin.math.max

/** A sorted buffer, which grows with what it must hold and is emptied from the front. */
internal class Samples(private val channels: Int) {
    private var stamps = DoubleArray(64)
    private var rows = Array(channels) { FloatArray(64) }
    private var start = 0
    private var stop = 0

    /** The newest stamp that was ever here. */
    var last = Double.NEGATIVE_INFINITY
        private set

    val size: Int get() = stop - start
    val earliest: Double get() = stamps[start]

    /** How many samples have stamps below a time. */
    fun before(time: Double): Int = lowerBound(stamps, time, start, stop) - start

    /** The stamps of samples from one on up to another. */
    fun times(from: Int, to: Int): DoubleArray = stamps.copyOfRange(start + from, start + to)

    /** The samples of a channel from one on up to another. */
    fun values(row: Int, from: Int, to: Int): FloatArray =
        rows[row].copyOfRange(start + from, start + to)

    /** Take samples in order, all later than what is here. */
    fun append(times: DoubleArray, values: Array<FloatArray>) {
        if (stop + times.size > stamps.size) makeRoom(times.size)
        times.copyInto(stamps, stop)
        for (row in 0 until channels) {
            // -0.0 and 0.0 are as small as each other: adding 0 makes them the same.
            for (k in times.indices) rows[row][stop + k] = values[row][k] + 0f
        }
        stop += times.size
        last = times[times.size - 1]
    }

    /**
     * Take samples in any order; of several at one stamp the smallest. How many of each
     * channel had to give way.
     */
    fun merge(times: DoubleArray, values: Array<FloatArray>): IntArray {
        val overlap = before(times.min())
        val held = size - overlap
        val count = held + times.size
        val order = (0 until count).sortedBy { time(it, overlap, held, times) }
        val own = DoubleArray(count)
        val merged = Array(channels) { FloatArray(count) { Float.NaN } }
        val twice = IntArray(channels)
        var kept = 0
        for (place in order) {
            val time = time(place, overlap, held, times)
            if (kept == 0 || own[kept - 1] < time) {
                own[kept] = time
                kept += 1
            }
            for (row in 0 until channels) {
                val value =
                    if (place < held) rows[row][start + overlap + place] else values[row][place - held]
                if (value.isNaN()) continue
                val there = merged[row][kept - 1]
                if (!there.isNaN()) twice[row] += 1
                if (there.isNaN() || value < there) merged[row][kept - 1] = value
            }
        }
        stop = start + overlap
        append(own.copyOf(kept), Array(channels) { merged[it].copyOf(kept) })
        return twice
    }

    private fun time(place: Int, overlap: Int, held: Int, times: DoubleArray): Double =
        if (place < held) stamps[start + overlap + place] else times[place - held]

    /** Forget the samples whose stamps are below a time. */
    fun drop(before: Double) {
        start += before(before)
        if (start == stop) {
            start = 0
            stop = 0
        }
    }

    /** Move to the front of a buffer with room for so many more. */
    private fun makeRoom(count: Int) {
        val held = size
        var room = stamps.size
        while (room < 2 * (held + count)) room *= 2
        val times = if (room > stamps.size) DoubleArray(room) else stamps
        stamps.copyInto(times, 0, start, stop)
        rows = Array(channels) { row ->
            val into = if (room > stamps.size) FloatArray(room) else rows[row]
            rows[row].copyInto(into, 0, start, stop)
        }
        stamps = times
        start = 0
        stop = max(held, 0)
    }
}
