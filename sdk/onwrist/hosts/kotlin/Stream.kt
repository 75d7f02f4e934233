// A live stream: bursts of samples in as they arrive, predictions out as they come due.
// HOST.md says what becomes of samples that are late, twice, out of order or jittered.
package dev.onwrist

/** What became of the samples of one channel so far; see [Stream.counters]. */
data class Counters(val samples: Long, val late: Long, val duplicate: Long, val repaired: Long)

/** What a name of `push` means: a whole sensor, or one axis of it. */
internal class Target(val sensor: Sensor, val axis: Int?)

/** Predictions from samples that arrive in bursts, late, twice or out of order. */
class Stream internal constructor(
    private val manifest: Manifest,
    private val settings: Settings,
    private val grid: () -> Grid,
) {
    internal lateinit var timeline: Timeline
        private set
    internal lateinit var rolling: Grid
        private set
    private lateinit var targets: Map<String, Target>

    init {
        reset()
    }

    /**
     * Take samples of one sensor or channel, and predict what has come due.
     *
     * @param timestamps seconds, in any order, of one clock for all sensors.
     * @param samples one for each stamp, or for a sensor of several channels all of one stamp
     *   together; NaN where missing.
     * @throws InputError they cannot be used, or the stream was flushed; it is as before.
     * @throws EngineError the engine failed; the samples were taken, and the next call tries
     *   again. Where it had given predictions before, these come first.
     */
    @Synchronized
    fun push(name: String, timestamps: DoubleArray, samples: FloatArray): List<Prediction> {
        refuseFlushed()
        val target = targets[name] ?: throw InputError(noSuchName(manifest, name))
        val sensor = target.sensor
        val channels = if (target.axis == null) sensor.rows.size else 1
        val arrival = try {
            Arrival(
                timestamps, samples, channels, timeline.newest, timeline.lateness,
                sensor.samples.size, sensor.limit,
            )
        } catch (error: InputError) {
            throw InputError("'$name': ${error.message}")
        }
        return collect { ready ->
            for (piece in arrival.pieces()) {
                timeline.take(sensor, ofAllAxes(sensor, target.axis, piece))
                timeline.settleOrigin()
                rolling.advance(timeline, ready)
            }
        }
    }

    /** Take a recording as if its samples came one by one in the order of time. */
    @Synchronized
    fun pushRecording(signals: Map<String, Signal>): List<Prediction> {
        refuseFlushed()
        val rates = settings.rates.takeIf { manifest.tokens == null }
        val tracks = tracksOf(manifest, signals, targets, rates, timeline.newest)
        return collect { ready ->
            for (turn in turns(tracks)) {
                val floor = timeline.newest - timeline.lateness
                for ((sensor, piece) in turn) timeline.take(sensor, piece, floor)
                timeline.settleOrigin()
                rolling.advance(timeline, ready)
            }
        }
    }

    /**
     * Settle every sample, and predict on the windows that they complete. After this nothing
     * can be pushed until [reset].
     *
     * @param atLeastOne where samples came, but for less than one window, give one whose rest
     *   is unobserved. Of days: go on to the end of the hop that the newest sample lies in.
     */
    @Synchronized
    fun flush(atLeastOne: Boolean = false): List<Prediction> {
        val least = if (manifest.tokens == null) manifest.samples else settings.hop
        timeline.finish(if (atLeastOne) least else 0)
        val ready = collect { rolling.advance(timeline, it) }
        timeline.countRest()
        return ready
    }

    /** Begin anew, as a new stream does. */
    @Synchronized
    fun reset() {
        val sensors = sensorsOf(manifest, settings)
        val days = manifest.tokens != null
        val minutes = if (days) Minutes(manifest.period, settings.midnight) else null
        val whole = if (days) settings.hop else 1
        val channels = manifest.channels
        timeline = Timeline(sensors, channels.size, manifest.rate, settings.lateness, minutes, whole)
        rolling = grid()
        targets = buildMap {
            for (sensor in sensors) for ((axis, row) in sensor.rows.withIndex()) {
                put(channels[row].sensor, Target(sensor, null))
                put(channels[row].name, Target(sensor, axis.takeIf { sensor.rows.size > 1 }))
            }
        }
    }

    val mode: Mode get() = settings.mode

    /** Seconds from one prediction to the next. */
    val hop: Double get() = settings.hop / manifest.rate

    /** Seconds that a sample may be older than the newest one. */
    val lateness: Double get() = settings.lateness

    /** Share of the last prediction's grid points that were observed, by channel. */
    val coverage: Map<String, Double>
        @Synchronized get() = byChannel { rolling.coverage[it] }

    /** Seconds from a channel's last sample to the newest of all; null without one. */
    val staleness: Map<String, Double?>
        @Synchronized get() = byChannel { row -> timeline.tallies[row].last?.let { timeline.newest - it } }

    /** Seconds from the end of the last prediction to the newest sample. */
    val latency: Double?
        @Synchronized get() = rolling.end?.let { timeline.newest - it }

    /** What became of the samples, by channel. */
    val counters: Map<String, Counters>
        @Synchronized get() = byChannel { row ->
            timeline.tallies[row].run { Counters(samples, late, duplicate, repaired) }
        }

    /** Running mean and scale of each channel; NaN where unknown. */
    val baseline: Array<DoubleArray>
        @Synchronized get() = rolling.usual

    /** The last window of the grid, to be drawn. */
    val window: Window
        @Synchronized get() = rolling.window

    /** Predictions of some work; an error is told at once only if there are none. */
    private fun collect(work: (MutableList<Prediction>) -> Unit): List<Prediction> {
        val ready = ArrayList<Prediction>()
        try {
            work(ready)
        } catch (error: EngineError) {
            if (ready.isEmpty()) throw error
        }
        return ready
    }

    private fun ofAllAxes(sensor: Sensor, axis: Int?, piece: Piece): Piece {
        if (axis == null) return piece
        val missing = FloatArray(piece.times.size) { Float.NaN }
        return Piece(piece.times, Array(sensor.rows.size) { if (it == axis) piece.values[0] else missing })
    }

    private fun <T> byChannel(of: (Int) -> T): Map<String, T> =
        manifest.channels.withIndex().associate { (row, channel) -> channel.name to of(row) }

    private fun refuseFlushed() {
        if (timeline.finished) throw InputError("this stream was flushed; reset() begins anew")
    }
}
