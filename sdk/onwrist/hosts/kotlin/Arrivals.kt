// What a caller pushes in: stamps and samples in, checked pieces out. Everything is checked
// before anything is taken, piece by piece, so that a day in one call needs little memory.
package dev.onwrist

import kotlin.math.abs

internal const val PIECE = 16_384 // samples that are taken at a time

/** How many samples of one sensor a stream holds at once, within so many seconds. */
internal class Limit(val samples: Int, val seconds: Double)

/** Some samples of one push: a row of values for each channel. */
internal class Piece(val times: DoubleArray, val values: Array<FloatArray>) {
    /** Whether all stamps increase and no value is missing. */
    val plain: Boolean = (1 until times.size).all { times[it] > times[it - 1] } &&
        values.none { row -> row.any { it.isNaN() } }
}

/**
 * One push, checked.
 *
 * @param samples sample by sample, the [channels] of one together.
 * @param newest the newest stamp that the stream has seen.
 * @param held samples that the stream holds of this sensor.
 */
internal class Arrival(
    private val times: DoubleArray,
    private val samples: FloatArray,
    private val channels: Int,
    newest: Double,
    lateness: Double,
    held: Int,
    limit: Limit,
) {
    init {
        if (samples.size != times.size * channels) {
            val wanted = if (channels == 1) "one sample" else "$channels numbers"
            throw InputError(
                "${samples.size} numbers and ${times.size} time stamps: every time stamp needs $wanted",
            )
        }
        for (time in times) checkTime(time)
        for (sample in samples) {
            if (abs(sample) >= LARGEST_SAMPLE) {
                throw InputError(
                    "a sample is $sample; a sample must be below 1e+15 in magnitude, and NaN " +
                        "where it is missing",
                )
            }
        }
        check(newest, lateness, held, limit)
    }

    /** The samples in the order in which they were pushed. */
    fun pieces(): Sequence<Piece> = (times.indices step PIECE).asSequence().map { begin ->
        val end = minOf(begin + PIECE, times.size)
        val values = Array(channels) { row ->
            FloatArray(end - begin) { samples[(begin + it) * channels + row] }
        }
        Piece(times.copyOfRange(begin, end), values)
    }

    /** Refuse stamps of another clock, and more samples than a stream holds. */
    private fun check(before: Double, lateness: Double, already: Int, limit: Limit) {
        var newest = before
        var mark = before
        var held = already
        val all = times.size > PIECE || already + times.size > limit.samples
        for (begin in times.indices step PIECE) {
            var kept = 0
            for (k in begin until minOf(begin + PIECE, times.size)) {
                val real = (k * channels until (k + 1) * channels).any { !samples[it].isNaN() }
                if (!real) continue
                val time = times[k]
                if (newest == Double.NEGATIVE_INFINITY) newest = time
                if (abs(time - newest) > LONGEST) {
                    throw InputError(
                        "a time stamp is $time, but the newest so far is $newest: all sensors " +
                            "of a stream must be on one clock; reset() begins anew",
                    )
                }
                newest = maxOf(newest, time)
                if (time >= newest - lateness) kept += 1
            }
            held += kept
            if (!all) continue
            if (newest - mark >= limit.seconds) {
                mark = newest
                held = kept
            } else if (held > limit.samples) {
                throw InputError(
                    "more than ${limit.samples} samples within ${fixed(limit.seconds, 0)} s are " +
                        "more than a stream holds: state the sensor's rate by " +
                        "stream(rates = ...), or correct the time stamps",
                )
            }
        }
    }
}
