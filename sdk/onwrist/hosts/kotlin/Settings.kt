// What a caller asks of a stream or a window in, checked and in grid points, out.
package dev.onwrist

import kotlin.math.abs
import kotlin.math.max

internal const val LATEST = 1e11 // seconds: milliseconds or nanoseconds lie beyond it
internal const val LONGEST = 366 * 86_400.0 // seconds between samples of one clock
private const val DAY = 86_400.0
private const val SLOWEST = 1e-6 // Hz
private const val FASTEST = 1e5

/** How predictions of a stream come about: step by step, or window by window. */
enum class Mode { STEP, WINDOW }

/** How a stream works, for as long as it lives; [hop] in grid points, [rates] by row. */
internal class Settings(
    val mode: Mode,
    val hop: Int,
    val lateness: Double,
    val rates: DoubleArray,
    val midnight: Double,
    val impute: Boolean,
)

internal fun settingsOf(
    manifest: Manifest,
    mode: Mode,
    hop: Double?,
    lateness: Double,
    rates: Map<String, Double>,
    midnight: Double,
    impute: Boolean,
): Settings {
    if (!(lateness in 0.0..DAY)) {
        throw InputError("lateness must be from 0 to 86400 seconds, not $lateness")
    }
    val samples = hopSamples(manifest, mode, hop)
    return Settings(mode, samples, lateness, ratesOf(manifest, rates), midnight, impute)
}

/** Grid points from one prediction to the next, for a hop in seconds. */
internal fun hopSamples(manifest: Manifest, mode: Mode, hop: Double?): Int {
    val tokens = manifest.tokens
    val step = tokens?.patch ?: manifest.step?.samples?.takeIf { mode == Mode.STEP }
    if (hop == null) return step ?: max(1, manifest.samples / 2)
    if (!(hop > 0 && hop <= DAY)) {
        throw InputError("hop must be a positive number of seconds, at most 86400, not $hop")
    }
    val samples = max(1, Math.rint(hop * manifest.rate).toInt())
    if (step != null && samples % step != 0) {
        val below = samples / step * step
        val near = listOf(below, below + step).filter { it > 0 }
            .joinToString(" and ") { significant(it / manifest.rate) + " s" }
        val of = if (tokens == null) "steps" else "patches"
        val other = if (tokens == null) ", or Mode.WINDOW" else ""
        throw InputError(
            "a hop of ${significant(hop)} s is not a whole number of $of of " +
                "${significant(step / manifest.rate)} s: take $near$other",
        )
    }
    return samples
}

private fun ratesOf(manifest: Manifest, given: Map<String, Double>): DoubleArray {
    val rates = DoubleArray(manifest.channels.size) { manifest.channels[it].rate }
    for ((name, rate) in given) {
        for (row in rowsOf(manifest, name)) rates[row] = checkRate(rate)
    }
    for (sensor in manifest.sensors) {
        val own = manifest.rows(sensor).map { rates[it] }.distinct()
        if (own.size > 1) {
            throw InputError(
                "the channels of '$sensor' share their time stamps, so they have one rate: " +
                    "${own.joinToString(" or ", transform = ::significant)} Hz?",
            )
        }
    }
    return rates
}

/** The row of a channel, or the rows of a sensor. */
internal fun rowsOf(manifest: Manifest, name: String): IntArray {
    val rows = manifest.channels.indices.filter {
        manifest.channels[it].name == name || manifest.channels[it].sensor == name
    }
    if (rows.isEmpty()) throw InputError(noSuchName(manifest, name))
    return rows.toIntArray()
}

internal fun noSuchName(manifest: Manifest, name: String): String =
    "there is no channel or sensor '$name'; this model knows the channels " +
        "${manifest.channels.joinToString { it.name }} and the sensors " +
        manifest.sensors.joinToString()

internal fun checkRate(rate: Double): Double {
    if (!(rate in SLOWEST..FASTEST)) {
        throw InputError("a rate must be from 1e-06 to 100000 Hz, not $rate")
    }
    return rate
}

internal fun checkTime(time: Double): Double {
    // Written so that NaN is refused as well.
    if (!(abs(time) <= LATEST)) throw InputError(notSeconds(time))
    return time
}

internal fun notSeconds(time: Double): String =
    "a time must be finite and in seconds, not $time (milliseconds, perhaps?)"

/** A local midnight in seconds, refused if the model does not ask for it. */
internal fun midnightOf(manifest: Manifest, given: Double?): Double {
    if (given == null) return 0.0
    if (manifest.tokens == null) {
        throw InputError("$manifest does not ask for the time of day: leave out midnight")
    }
    return checkTime(given)
}

/** Whether to impute; if nothing is said, days are where [days] is true. */
internal fun imputeOf(manifest: Manifest, given: Boolean?, days: Boolean): Boolean {
    if (given == null) return days && manifest.tokens != null && manifest.imputes
    if (!manifest.imputes) throw InputError("$manifest cannot impute: leave out impute")
    return given
}
