// What the trackers of Samsung's Health Sensor SDK give in, the units of wrist-himae out.
package dev.onwrist.example

import kotlin.math.PI

/** Hz: both trackers, ppg and acceleration. */
const val GALAXY_RATE = 25.0

// Samsung converts counts to m/s2 by 9.81 / (16383.75 / 4), so that 1 g is this many.
private const val COUNTS_PER_G = 16383.75 / 4

/** An axis of acceleration in g. */
fun accelerationInG(counts: Int): Float = (counts / COUNTS_PER_G).toFloat()

/**
 * Seconds of a data point's time stamp, in milliseconds of the wall clock. Both trackers have
 * this one clock, which is all that a stream of a wrist asks for.
 */
fun galaxySeconds(timestamp: Long): Double = timestamp / 1000.0

/**
 * The pulse in raw counts of light: what is slower than [CUTOFF] removed by one pole.
 *
 * The bundle learned from an Empatica E4, whose signal has no constant part. Raw counts are a
 * small pulse on a large level, which drifts; the model scales each window by its least and
 * greatest value, and would see little but the drift.
 */
class PulseFilter(private val rate: Double = GALAXY_RATE) {
    private val keeps = 1 / (1 + 2 * PI * CUTOFF / rate)
    private var time = Double.NaN
    private var counts = 0.0
    private var pulse = 0.0

    /** The pulse at a time in seconds; it begins anew after a gap of half a second. */
    fun of(time: Double, counts: Int): Float {
        val goesOn = time - this.time <= GAP
        pulse = if (goesOn) keeps * (pulse + counts - this.counts) else 0.0
        this.time = time
        this.counts = counts.toDouble()
        return pulse.toFloat()
    }

    private companion object {
        const val CUTOFF = 0.4 // Hz: 24 beats per minute
        const val GAP = 0.5 // seconds
    }
}
