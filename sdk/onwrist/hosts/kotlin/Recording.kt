// The signals of a recording in, pieces of all sensors in the order of time out.
package dev.onwrist

import kotlin.math.abs

private const val SAME_RATE = 0.02 // share that a recording's rate may be off the stream's

/**
 * The samples of one channel.
 *
 * @property times seconds, strictly increasing, one clock for a recording.
 * @property values in the channel's unit; NaN where a sample is missing.
 * @property rate nominal native sampling rate in Hz.
 */
class Signal(val times: DoubleArray, val values: FloatArray, val rate: Double) {
    init {
        if (times.size != values.size) {
            throw InputError("${values.size} samples and ${times.size} time stamps: each needs one")
        }
        for ((k, value) in values.withIndex()) {
            if (abs(value) >= LARGEST_SAMPLE) {
                throw InputError("sample $k is $value; a sample must be below 1e+15 in magnitude")
            }
        }
        for ((k, time) in times.withIndex()) {
            checkTime(time)
            if (k > 0 && time <= times[k - 1]) {
                throw InputError(
                    "time stamps must increase, but sample $k at $time follows one at ${times[k - 1]}",
                )
            }
        }
        checkRate(rate)
    }

    companion object {
        /** The signal whose sample k was taken at start + k / rate seconds. */
        fun regular(values: FloatArray, rate: Double, start: Double = 0.0): Signal =
            Signal(DoubleArray(values.size) { start + it / rate }, values, rate)
    }
}

/** Axes of one sensor that have the same stamps: samples by axis. */
internal class Track(val sensor: Sensor, val times: DoubleArray) {
    val axes = HashMap<Int, FloatArray>()

    fun piece(from: Int, to: Int): Piece = Piece(
        times.copyOfRange(from, to),
        Array(sensor.rows.size) { axis ->
            axes[axis]?.copyOfRange(from, to) ?: FloatArray(to - from) { Float.NaN }
        },
    )
}

/** What can be taken together; signals that have no sample are left out. */
internal fun tracksOf(
    manifest: Manifest,
    signals: Map<String, Signal>,
    targets: Map<String, Target>,
    rates: DoubleArray?,
    newest: Double,
): List<Track> {
    val tracks = ArrayList<Track>()
    for ((row, channel) in manifest.channels.withIndex()) {
        val signal = signals[channel.name] ?: continue
        if (rates != null && abs(signal.rate / rates[row] - 1) > SAME_RATE) {
            throw InputError(
                "'${channel.name}' was recorded at ${significant(signal.rate)} Hz, but this " +
                    "stream takes it at ${significant(rates[row])} Hz; make one with " +
                    "stream(rates = mapOf(\"${channel.name}\" to ${significant(signal.rate)}))",
            )
        }
        if (signal.values.all { it.isNaN() }) continue
        val target = targets.getValue(channel.name)
        val track = tracks.find { it.sensor === target.sensor && it.times.contentEquals(signal.times) }
            ?: Track(target.sensor, signal.times).also(tracks::add)
        track.axes[target.axis ?: 0] = signal.values
    }
    if (tracks.isEmpty()) {
        val asked = manifest.channels.joinToString { it.name }
        val has = signals.keys.joinToString().ifEmpty { "no signals" }
        throw InputError("no samples of $asked among $has")
    }
    val earliest = tracks.minOf { it.times.first() }
    val latest = tracks.maxOf { it.times.last() }
    val base = if (newest == Double.NEGATIVE_INFINITY) earliest else newest
    if (earliest < base - LONGEST || latest > base + LONGEST) {
        throw InputError(
            "the samples span ${fixed(latest - earliest, 0)} s, from $earliest to $latest: all " +
                "channels of a recording must be on one clock",
        )
    }
    return tracks
}

/** Pieces of all tracks up to the same time: of the densest one as many as a piece. */
internal fun turns(tracks: List<Track>): Sequence<List<Pair<Sensor, Piece>>> = sequence {
    val taken = IntArray(tracks.size)
    while (true) {
        val end = tracks.indices.filter { taken[it] < tracks[it].times.size }
            .minOfOrNull { tracks[it].times[minOf(taken[it] + PIECE, tracks[it].times.size) - 1] } ?: break
        val turn = ArrayList<Pair<Sensor, Piece>>()
        for ((k, track) in tracks.withIndex()) {
            val stop = upperBound(track.times, end, 0, track.times.size)
            if (stop > taken[k]) {
                turn.add(track.sensor to track.piece(taken[k], stop))
                taken[k] = stop
            }
        }
        yield(turn)
    }
}
