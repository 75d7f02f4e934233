// Samples of all sensors in as they arrive, grid points that will never change out.
//
// - newest: the newest stamp of all sensors so far. A sample older than it by more than the
//   lateness is late: counted and dropped.
// - watermark: newest less lateness. What lies below it is settled.
// - origin: the first grid point at or after the earliest sample, once that is settled; of
//   minutes the last multiple of the hop, counted from midnight, at or before it.
// - final: a grid point is final when all stamps that can reach its value, in any channel
//   that the stream could have, lie below the watermark.
package dev.onwrist

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

private const val DENSEST = 1000.0 // Hz: any sensor may be so fast, or four times its rate
private const val MOST = 1e9

/** What became of one channel's samples; [last] is the stamp of the newest. */
internal class Tally {
    var samples = 0L
    var late = 0L
    var duplicate = 0L
    var repaired = 0L
    var last: Double? = null
}

/** Channels that share stamps and rate; [sums] is null where samples are resampled. */
internal class Sensor(
    val rows: IntArray,
    val rate: Double,
    gridRate: Double,
    wait: Double,
    val sums: BooleanArray?,
) {
    val reach = if (sums == null) reach(rate, gridRate) else 0.0
    val run = if (sums == null) 1.5 * (HISTORY + 1) / rate else 0.0
    val samples = Samples(rows.size)
    val limit: Limit

    init {
        val held = wait + run + 2 * reach
        val most = min(held * max(DENSEST, 4 * rate), MOST).toInt() + 2 * PIECE
        limit = Limit(most, held)
    }
}

/** What samples together: channels of one sensor, at one rate. */
internal fun sensorsOf(manifest: Manifest, settings: Settings): List<Sensor> {
    val until = manifest.tokens?.patch ?: manifest.samples
    val wait = settings.lateness + 2 * until / manifest.rate
    val groups = manifest.channels.indices.groupBy { manifest.channels[it].sensor to settings.rates[it] }
    return groups.values.map { together ->
        val rows = together.toIntArray()
        val sums = manifest.tokens?.let {
            BooleanArray(rows.size) { manifest.channels[rows[it]].aggregation == Aggregation.SUM }
        }
        Sensor(rows, settings.rates[rows[0]], manifest.rate, wait, sums)
    }
}

/** All sensors of a stream on one clock; [whole] minutes divide the origin. */
internal class Timeline(
    val sensors: List<Sensor>,
    channels: Int,
    private val rate: Double,
    val lateness: Double,
    val minutes: Minutes?,
    private val whole: Int,
) {
    val tallies = List(channels) { Tally() }
    var newest = Double.NEGATIVE_INFINITY
        private set
    var origin: Long? = null
        private set
    var finished = false
        private set
    private var least = 0
    private var repairedTo = Double.NEGATIVE_INFINITY
    private val furthest = sensors.maxOf { it.reach } + SAME_TIME

    /**
     * Take samples of one sensor.
     *
     * @param floor stamps below are late; null if each newer stamp of these makes older ones
     *   that follow it late.
     */
    fun take(sensor: Sensor, piece: Piece, floor: Double? = null) {
        val times = piece.times
        val plain = piece.plain && times.isNotEmpty() &&
            times[0] >= (floor ?: (newest - lateness)) && times[0] > sensor.samples.last
        if (!plain) return sortIn(sensor, piece, floor)
        sensor.samples.append(times, piece.values)
        val last = times[times.size - 1]
        for (row in sensor.rows) {
            tallies[row].samples += times.size.toLong()
            tallies[row].last = max(tallies[row].last ?: last, last)
        }
        newest = max(newest, last)
    }

    private fun sortIn(sensor: Sensor, piece: Piece, floor: Double?) {
        val kept = ArrayList<Int>()
        var running = newest
        for (k in piece.times.indices) {
            val time = piece.times[k]
            val real = sensor.rows.indices.filter { !piece.values[it][k].isNaN() }
            if (real.isEmpty()) continue
            running = max(running, time)
            if (time < (floor ?: (running - lateness))) {
                for (axis in real) tallies[sensor.rows[axis]].late += 1
            } else {
                kept.add(k)
                for (axis in real) {
                    val tally = tallies[sensor.rows[axis]]
                    tally.samples += 1
                    tally.last = max(tally.last ?: time, time)
                }
            }
        }
        if (kept.isEmpty()) return
        val times = DoubleArray(kept.size) { piece.times[kept[it]] }
        val values = Array(sensor.rows.size) { axis ->
            FloatArray(kept.size) { piece.values[axis][kept[it]] }
        }
        for ((axis, twice) in sensor.samples.merge(times, values).withIndex()) {
            tallies[sensor.rows[axis]].samples -= twice.toLong()
            tallies[sensor.rows[axis]].duplicate += twice.toLong()
        }
        newest = max(newest, times.max())
    }

    /** Settle all samples: no more will come. At least so many grid points are then final. */
    fun finish(least: Int) {
        finished = true
        this.least = least
        settleOrigin()
    }

    /** Fix the origin once no earlier sample can be accepted any more. */
    fun settleOrigin() {
        if (origin != null) return
        val watermark = if (finished) Double.POSITIVE_INFINITY else newest - lateness
        val first = sensors.filter { it.samples.size > 0 }.minOfOrNull { it.samples.earliest }
        if (first == null || first >= watermark) return
        origin = if (minutes == null) {
            ceil((first - SAME_TIME) * rate).toLong()
        } else {
            Math.floorDiv(minutes.holding(first), whole.toLong()) * whole
        }
    }

    /** Grid points before this one will never change; only with an origin. */
    val final: Long
        get() {
            val origin = checkNotNull(origin)
            if (minutes != null) {
                if (!finished) return minutes.holding(newest - lateness)
                val past = minutes.holding(newest) + 1
                return past + if (least > 0) Math.floorMod(origin - past, least.toLong()) else 0L
            }
            if (!finished) return ceil((newest - lateness - furthest) * rate).toLong()
            val past = floor((newest + SAME_TIME) * rate).toLong() + 1
            return max(past, origin + least)
        }

    /** So many grid points from [first] on, all of them final. */
    fun resample(first: Long, count: Int): Window {
        val window = Window(tallies.size, count)
        val end = time(first + count)
        for (sensor in sensors) {
            val held = sensor.samples.before(end + sensor.reach)
            if (held == 0) continue
            val times = sensor.samples.times(0, held)
            val rows = Array(sensor.rows.size) { sensor.samples.values(it, 0, held) }
            if (minutes == null || sensor.sums == null) {
                resample(times, rows, sensor.rate, rate, first, window, sensor.rows)
                continue
            }
            for ((axis, row) in sensor.rows.withIndex()) {
                minutes.aggregate(times, rows[axis], sensor.sums[axis], first, window, row)
            }
        }
        return window
    }

    private fun time(point: Long): Double = minutes?.start(point) ?: (point.toDouble() / rate)

    /** Drop what no grid point from [first] on needs. */
    fun forget(first: Long) {
        val before = time(first)
        countRepaired(before)
        for (sensor in sensors) sensor.samples.drop(before - sensor.reach - sensor.run)
    }

    /** Look for repair at what is left, once all samples are settled. */
    fun countRest() = countRepaired(Double.POSITIVE_INFINITY)

    private fun countRepaired(before: Double) {
        for (sensor in sensors) {
            if (sensor.sums != null) continue
            val end = sensor.samples.before(before)
            val begin = sensor.samples.before(repairedTo)
            if (begin == end) continue
            val times = sensor.samples.times(0, end)
            for ((axis, row) in sensor.rows.withIndex()) {
                val values = sensor.samples.values(axis, 0, end)
                val real = times.indices.filter { !values[it].isNaN() }
                val own = DoubleArray(real.size) { times[real[it]] }
                val stray = strays(own, sensor.rate)
                tallies[row].repaired +=
                    own.indices.count { stray[it] && own[it] >= repairedTo }.toLong()
            }
        }
        repairedTo = before
    }
}
